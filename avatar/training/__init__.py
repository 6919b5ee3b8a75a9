"""Making the weights of model `lite`: data, targets, losses, loops."""
