// Another portrait: by the file dialogue, by dropping it on the picture, or by pasting it.

/** Call `use` with every image file that the user gives, and `refuse` with a line for anything else. */
export function acceptPortraits({ frame, input, use, refuse }) {
  const take = (file) => {
    if (!file) return;
    if (file.type && !file.type.startsWith("image/")) refuse(`${file.name} is not a picture.`);
    else use(file);
  };
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = "";
  });
  addEventListener("paste", (event) => take(event.clipboardData?.files[0]));
  let depth = 0;
  const mark = (change) => {
    depth = change === 0 ? 0 : Math.max(0, depth + change);
    frame.classList.toggle("dropping", depth > 0);
  };
  addEventListener("dragenter", (event) => event.dataTransfer?.types.includes("Files") && mark(1));
  addEventListener("dragleave", () => mark(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark(0);
    take(event.dataTransfer?.files[0]);
  });
}
