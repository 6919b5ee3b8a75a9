"""Sentences for the synthetic voices, made here; all phonemes of English occur in them."""

from __future__ import annotations

import random
from collections.abc import Iterator

from avatar.training.prose import prose, shuffled_words

# fmt: off
_WHO = (
    "my mother|the baker|Peter|our neighbour|a young doctor|the whole family|Barbara|"
    "the old fisherman|somebody|every visitor|the music teacher|we|they|both brothers|"
    "your friend Joyce|the mayor|nobody|a thoughtful nurse|this boy|the best pilot|"
    "George|Mister Weber|the blue bird|a big brown bear|the judge"
)
_DID = (
    "bought|would never borrow|put away|forgot|measured|wants to see|brought home|found|"
    "has shown us|might open|pushed over|will probably paint|laughed about|"
    "could not move|gave away|chose|heard of|always polished|remembered|was pulling|"
    "thought about|threw out|kept|looked at|may have washed|asked for"
)
_WHAT = (
    "the broken window|five fresh apples|a warm woollen jumper|that beautiful picture|"
    "some bread and butter|the new version|a very small boat|three heavy books|"
    "the church bell|an empty box|their favourite song|two yellow umbrellas|"
    "the garage door|a cup of hot chocolate|the measure of pleasure|his father's shoes|"
    "the map of the mountain|a huge balloon|the evening paper|good food|"
    "those thin feathers|the usual joke|a purple vase|my whole life|eleven dollars|"
    "the voice on the phone"
)
_WHERE = (
    "before breakfast|in the middle of the room|on Thursday|under the wooden bridge|"
    "for about an hour|with both hands|at the back of the shop|by the river|"
    "while it was snowing|without a word|from the other side of town|as soon as possible|"
    "twice a year|near the old farm|every morning|when the moon came up|"
    "on the way to Boston|if you please|over there|down by the harbour"
)
_SAID = (
    "well|oh|you know|I believe|maybe|of course|to be honest|in fact|above all|"
    "wait a moment|by the way|as far as I know|believe me|sure|no|yes|hmm|look|"
    "people say|once upon a time"
)
_FIXED = (
    "What would you do with a whole week by the sea?|"
    "How far away is the village, and who lives there now?|"
    "Please bring me a pair of blue gloves and the package from the post office.|"
    "I am happy to be here, and I hope you are too.|Good morning, and welcome aboard.|"
    "Five, four, three, two, one, zero.|"
    "Six, seven, eight, nine, ten, eleven, twelve, thirteen, forty, fifty.|"
    "Bob and Mabel moved from a muddy farm to a big apartment above a pub.|"
    "The fog over the valley vanished very fast, leaving a view of five villages.|"
    "We were away a year ago, while the wind was wild and the water was warm.|"
    "She usually washes her shoes in the shallow water and chooses a sunny bench to dry "
    "them.|He thought that those three brothers were both rather healthy.|"
    "Nobody knew why the pony had jumped over the low wall again.|"
    "Can you hear me? Yes, I can hear you, but the picture is not moving.|"
    "Thank you very much for joining us today, it has been a pleasure.|"
    "Oh wow, look at that enormous rainbow over the roof of the museum!|"
    "I really do not care about the price, I only want it to work.|"
    "Open your mouth wide and say ah, please.|"
    "You should put the wood for the fire by the door before it rains.|"
    "At half past four the first bus leaves from platform number five."
)
LANGUAGES = {
    "es": (
        "Buenos días, me llamo Pablo y vivo en un pueblo muy bonito.|"
        "El perro de mi vecino come mucho y duerme poco.|"
        "¿Puede abrir la ventana, por favor? Hace bastante calor aquí.|"
        "Mañana vamos a comprar pan, vino y fruta en el mercado.|"
        "Había una vez un hombre que buscaba un tesoro bajo el mar."
    ),
    "de": (
        "Guten Morgen, wir möchten bitte zwei Brötchen und einen Kaffee bestellen.|"
        "Meine Mutter fährt morgen früh mit dem Bus nach Hamburg.|"
        "Über den Bäumen fliegt ein großer weißer Vogel.|"
        "Könnten Sie mir vielleicht kurz helfen, bevor Sie gehen?|"
        "Früher wohnte ich in einem kleinen Haus am Fluss."
    ),
    "cmn": (
        "你好，很高兴认识你。|我们明天一起去买苹果，好不好？|妈妈在家做饭，爸爸看报纸。|"
        "他住在北京，每天坐公共汽车上班。|今天天气不错，我们出去玩吧。"
    ),
    "hi": (
        "नमस्ते, मेरा नाम राम है और मैं भोपाल में रहता हूँ।|आज मौसम बहुत अच्छा है।|"
        "मुझे एक कप चाय और दो बिस्कुट चाहिए।|मेरे भाई ने बाज़ार से फल और सब्ज़ी खरीदी।|"
        "कृपया दरवाज़ा बंद कर दीजिए।"
    ),
    "it": (
        "Buongiorno, come va la famiglia?|Domani partiamo molto presto per il mare.|"
        "Vorrei un bicchiere di vino bianco e un po' di pane.|"
        "Mio fratello abita vicino alla piazza più bella della città.|"
        "Che bello vedere tutti questi fiori blu!"
    ),
    "ru": (
        "Доброе утро, меня зовут Павел.|Мы живём в большом городе на берегу моря.|"
        "Можно мне, пожалуйста, чашку кофе и белый хлеб?|"
        "Моя бабушка любит петь песни по вечерам.|Завтра будет тёплая погода."
    ),
    "fr": (
        "Bonjour, je m'appelle Paul et voici ma femme.|"
        "Nous avons bu un bon vin blanc hier soir.|"
        "Pouvez-vous fermer la porte, s'il vous plaît?|"
        "Il fait beau, allons nous promener au bord du fleuve.|"
        "Mon frère habite un vieux moulin depuis vingt ans."
    ),
}
# fmt: on


def english(seed: int) -> Iterator[str]:
    """English without end: prose, words in random order, everyday sentences made here."""
    rng = random.Random(seed)
    makers = (lambda r: r.choice(prose()), shuffled_words, everyday)
    while True:
        yield rng.choices(makers, (5, 3, 2))[0](rng)


def everyday(rng: random.Random) -> str:
    """A sentence from the phrases of this file; every fifth is one of a fixed list."""
    if rng.random() < 0.2:
        return rng.choice(_FIXED.split("|"))
    who, did, what, where, said = (
        rng.choice(text.split("|")) for text in (_WHO, _DID, _WHAT, _WHERE, _SAID)
    )
    sentence = f"{who} {did} {what}"
    if rng.random() < 0.6:
        sentence += f" {where}"
    if rng.random() < 0.4:
        sentence = f"{said}, {sentence}"
    return sentence[0].upper() + sentence[1:] + rng.choice(".....?!")


def foreign(language: str, seed: int) -> Iterator[str]:
    """Sentences of one of `LANGUAGES` in random order without end."""
    rng = random.Random(seed)
    sentences = LANGUAGES[language].split("|")
    while True:
        yield rng.choice(sentences)
