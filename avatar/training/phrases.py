"""Phrases of four languages that make thousands of sentences; half their words close the lips.

A language of which a voice says fifteen sentences is learnt by heart, and its /p b m/ with it.
"""

from __future__ import annotations

import random

# fmt: off
_PHRASES: dict[str, tuple[str, ...]] = {
    "cmn": (
        "小明的伯伯|那个木匠|隔壁的胖子|他们的班长|卖布的老板|我表妹|一名士官|白医生|彭阿姨|毛先生|马老师|保姆|"
        "小熊猫|每个病人|外婆|三匹骆驼|博物馆的门卫|秘书|我姐姐|画眉鸟|你们部门的人|潘教授",
        "半夜|每个礼拜|八月份|昨天傍晚|比赛以后|不久以前|毕业那年|平时|下午三点半|从早到晚|没多久|去年冬天",
        "在河边|在码头|在超市门口|在茂密的森林里|在冰面上|在北海道|在别墅里|在邮局旁边|在跑道上|在火锅店|在棉花地里|"
        "在墨西哥|在宾馆|在铺子里",
        "包了很多饺子|拍了一张照片|把门打破了|摸到一块宝石|编了一个谜语|买不到便宜的票|吃了半碗米粉|捕到两只螃蟹|忙着搬家|"
        "卖掉了破自行车|弹琵琶|什么都明白|磨了一杯咖啡|抱着一瓶蜂蜜|闭上了眼睛|碰到一位模特|改不了毛病|把玻璃瓶放平|"
        "没有买到面条|拼命地逃跑|背着大背包|喷了一点药|必须补课|跟兵马俑比赛|剥了一盘葡萄",
    ),
    "de": (
        "Der Postbote|Meine Oma|Ein blinder Passagier|Barbara|Der Imker|Unser Opa|Die Hebamme|"
        "Jemand|Ein Pudel|Der Klempner|Emma|Niemand|Der Bischof|Das Lamm|Eine Ameise|Philipp|"
        "Die Bundeskanzlerin|Mein bester Kumpel",
        "probiert|bemalt|umarmt|vermisst|bewacht|schiebt|liebt|kauft|bekommt|nimmt|behauptet|"
        "sammelt|putzt|verbrennt|pflückt|wirbt um|übt|bemerkt",
        "im Oktober|am Bodensee|beim Putzen|ab und zu|im Museum|am Samstag|in Bremen|ohne Pause|"
        "mit viel Mühe|um halb acht|unter dem Apfelbaum|im Treppenhaus|vor dem Abendbrot",
        "einen Becher Milch|den bunten Papagei|ein Pflaumenmus|die Trompete|den Kompass|sein Hemd|"
        "eine Pumpe|den Kaminsims|viele Himbeeren|eine Briefmarke|ihr Pony|den Bürgermeister|"
        "die Bambusmöbel|einen Lippenstift|das Ruderboot|eine Tomatensuppe|den Pullover",
    ),
    "es": (
        "El bombero|Mi cuñada|Un pintor famoso|La embajadora|Benjamín|Ese payaso|El plomero|"
        "La paciente|Un mono|El obispo|Ámbar|Nadie|Mi compadre|La mariposa|Un hombre bueno|"
        "El profesor de música|La campesina|Sebastián",
        "limpia|rompe|busca|cambia|empuja|besa|siembra|compone|prueba|mide|imagina|abraza|sube|"
        "guarda|pierde|alumbra|apaga|promete",
        "el barco de papel|una bombilla|los plátanos|su computadora|una trompeta|el ombligo|"
        "la empanada|mil bombones|el tambor|una manzana podrida|el sombrero|la compañía|"
        "unos zapatos|la alfombra|el imperio|una cabra|la memoria",
        "en septiembre|sin permiso|bajo la lluvia|en el campo|a media noche|con mucha paciencia|"
        "en Panamá|por suerte|sobre la mesa|hasta el domingo|con su esposo|en el bosque|a tiempo",
    ),
    "hi": (
        "मामा जी|एक बंदर|हमारी नानी|पुलिस|बीमार आदमी|मंत्री|छोटा बबलू|पंडित|मेहमान|भालू|सब मज़दूर|प्रेमचंद|"
        "मालिक|पागल कुत्ता|भूमिका|एक कबूतर|सिपाही|मीरा",
        "कभी कभी|सोमवार को|शाम में|बहुत समय से|परसों|बिना मतलब|हर महीने|सितंबर में|आराम से|पहली बार|चुपचाप",
        "मंदिर के बाहर|जंगल में|नदी के पास|पुल पर|कमरे में|दुकान के सामने|अपने गाँव में|भारत में|मैदान पर|"
        "बंबई में|छप्पर के नीचे",
        "लंबी कमीज़ पहनता है|आम का पेड़ देखता है|बर्तन माँजता है|पपीहा पकड़ता है|मुर्गी को भगाता है|कंबल बेचता है|"
        "पतंग उड़ाता है|बादाम खाता है|किताब भूल जाता है|मेंढक से डरता है|प्याज़ काटता है|अमीर बनना चाहता है|"
        "पुराना ढोल बजाता है|सब काम बिगाड़ता है|मलाई मिलाता है|फिर से बैठ जाता है",
    ),
}
# fmt: on
LANGUAGES = tuple(_PHRASES)


def phrased(language: str, rng: random.Random) -> str:
    """A sentence of one of `LANGUAGES`: who does what, when and where."""
    space, stop = ("", "。") if language == "cmn" else (" ", ".")
    return space.join(rng.choice(part.split("|")) for part in _PHRASES[language]) + stop
