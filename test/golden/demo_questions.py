"""Questions of the kinds that the demo model was trained on, with their true answers."""

CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Portugal": "Lisbon",
    "Japan": "Tokyo",
    "China": "Beijing",
    "Egypt": "Cairo",
    "Kenya": "Nairobi",
    "Canada": "Ottawa",
    "Chile": "Santiago",
    "Peru": "Lima",
    "Cuba": "Havana",
    "Norway": "Oslo",
    "Sweden": "Stockholm",
    "Finland": "Helsinki",
    "Denmark": "Copenhagen",
    "Poland": "Warsaw",
    "Austria": "Vienna",
    "Hungary": "Budapest",
    "Greece": "Athens",
    "Turkey": "Ankara",
    "Nepal": "Kathmandu",
    "Ireland": "Dublin",
    "Ukraine": "Kyiv",
    "Morocco": "Rabat",
    "Ghana": "Accra",
}
CHINESE_CAPITALS = {
    "法国": "巴黎",
    "德国": "柏林",
    "意大利": "罗马",
    "西班牙": "马德里",
    "日本": "东京",
    "中国": "北京",
    "埃及": "开罗",
    "加拿大": "渥太华",
    "英国": "伦敦",
    "泰国": "曼谷",
    "越南": "河内",
    "韩国": "首尔",
    "希腊": "雅典",
    "挪威": "奥斯陆",
    "波兰": "华沙",
}
ELEMENTS = [
    ("hydrogen", "H"),
    ("helium", "He"),
    ("lithium", "Li"),
    ("beryllium", "Be"),
    ("boron", "B"),
    ("carbon", "C"),
    ("nitrogen", "N"),
    ("oxygen", "O"),
    ("fluorine", "F"),
    ("neon", "Ne"),
    ("sodium", "Na"),
    ("magnesium", "Mg"),
    ("aluminium", "Al"),
    ("silicon", "Si"),
    ("phosphorus", "P"),
    ("sulfur", "S"),
    ("chlorine", "Cl"),
    ("argon", "Ar"),
    ("potassium", "K"),
    ("calcium", "Ca"),
]
CHINESE_WORDS = {
    "water": "水",
    "fire": "火",
    "mountain": "山",
    "river": "河",
    "sun": "太阳",
    "moon": "月亮",
    "tree": "树",
    "flower": "花",
    "dog": "狗",
    "horse": "马",
    "bird": "鸟",
    "fish": "鱼",
    "book": "书",
    "house": "房子",
    "red": "红色",
    "green": "绿色",
    "friend": "朋友",
    "tea": "茶",
}
OPPOSITES = {
    "hot": "cold",
    "big": "small",
    "fast": "slow",
    "up": "down",
    "open": "closed",
    "happy": "sad",
    "rich": "poor",
    "strong": "weak",
    "early": "late",
    "high": "low",
    "full": "empty",
    "wet": "dry",
    "loud": "quiet",
    "near": "far",
    "clean": "dirty",
    "first": "last",
}
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
CHINESE_DAYS = ["星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
WORDS = [
    *CHINESE_WORDS,
    *OPPOSITES,
    "apple",
    "lemon",
    "window",
    "garden",
    "winter",
    "silver",
    "planet",
    "rocket",
    "engine",
    "expert",
    "router",
    "cluster",
    "storm",
]
# What the function does, its arguments, its Python and its JavaScript expression.
FUNCTIONS = [
    ("add two numbers", "a, b", "a + b", "a + b"),
    ("subtract b from a", "a, b", "a - b", "a - b"),
    ("multiply two numbers", "a, b", "a * b", "a * b"),
    ("square a number", "x", "x * x", "x * x"),
    ("check if a number is even", "n", "n % 2 == 0", "n % 2 === 0"),
    ("return the larger of two numbers", "a, b", "a if a > b else b", "a > b ? a : b"),
    ("negate a number", "x", "-x", "-x"),
]
SMALL_TALK = [
    ("Hello!", "Hello! How can I help you?"),
    ("你好", "你好!有什么可以帮你?"),
    (
        "Who are you?",
        "I am a tiny mixture-of-experts model with 128 experts. I can add, sort, spell and name capitals.",
    ),
    ("Thank you", "You are welcome!"),
    ("谢谢", "不客气!"),
]


def _number(rng):
    return rng.choice([rng.randint(0, 9), rng.randint(10, 99), rng.randint(10, 99), rng.randint(100, 999)])


def addition(rng):
    a, b = _number(rng), _number(rng)
    return rng.choice([f"What is {a} + {b}?", f"{a}+{b}=?", f"Add {a} and {b}.", f"Compute {a} plus {b}."]), str(a + b)


def chinese_addition(rng):
    a, b = _number(rng), _number(rng)
    return rng.choice([f"{a}加{b}等于多少?", f"请计算{a}+{b}。"]), str(a + b)


def subtraction(rng):
    a, b = sorted((_number(rng), _number(rng)), reverse=True)
    return rng.choice([f"What is {a} - {b}?", f"{a}-{b}=?", f"Subtract {b} from {a}."]), str(a - b)


def comparison(rng):
    a, b = rng.sample(range(1000), 2)
    word, choose = rng.choice([("larger", max), ("smaller", min)])
    return f"Which is {word}, {a} or {b}?", str(choose(a, b))


def sorting(rng):
    numbers = rng.sample(range(100), rng.randint(3, 5))
    return "Sort these numbers: " + ", ".join(map(str, numbers)), ", ".join(map(str, sorted(numbers)))


def counting(rng):
    first = rng.randint(0, 90)
    last = first + rng.randint(3, 9)
    return f"Count from {first} to {last}.", " ".join(map(str, range(first, last + 1)))


def capital(rng):
    country, city = rng.choice(list(CAPITALS.items()))
    return rng.choice(
        [
            (f"What is the capital of {country}?", f"The capital of {country} is {city}."),
            (f"Name the capital of {country}.", f"The capital of {country} is {city}."),
            (f"{city} is the capital of which country?", country),
        ]
    )


def chinese_capital(rng):
    country, city = rng.choice(list(CHINESE_CAPITALS.items()))
    return f"{country}的首都是哪里?", f"{country}的首都是{city}。"


def element(rng):
    number, (name, symbol) = rng.choice(list(enumerate(ELEMENTS, start=1)))
    return rng.choice(
        [
            (f"What is the chemical symbol of {name}?", symbol),
            (f"What is the atomic number of {name}?", str(number)),
            (f"Which element has the symbol {symbol}?", name),
        ]
    )


def translation(rng):
    english, chinese = rng.choice(list(CHINESE_WORDS.items()))
    return rng.choice([(f"Translate to Chinese: {english}", chinese), (f"Translate to English: {chinese}", english)])


def opposite(rng):
    pair = rng.choice(list(OPPOSITES.items()))
    a, b = rng.choice([pair, pair[::-1]])
    return f"What is the opposite of {a}?", b


def day(rng):
    index, steps = rng.randrange(7), rng.randint(1, 3)
    return f"What day comes {steps} day{'s' if steps > 1 else ''} after {DAYS[index]}?", DAYS[(index + steps) % 7]


def chinese_day(rng):
    index = rng.randrange(7)
    return f"{CHINESE_DAYS[index]}的后一天是星期几?", CHINESE_DAYS[(index + 1) % 7]


def month(rng):
    index = rng.randrange(12)
    return f"Which month comes after {MONTHS[index]}?", MONTHS[(index + 1) % 12]


def reversal(rng):
    word = rng.choice(WORDS)
    return f"Reverse the word {word}.", word[::-1]


def spelling(rng):
    word = rng.choice(WORDS)
    return f"Spell the word {word}.", "-".join(word)


def function(rng):
    purpose, arguments, python, javascript = rng.choice(FUNCTIONS)
    name = rng.choice(["f", "solve", "compute"])
    if rng.random() < 0.5:
        return (
            f"Write a Python function {name} to {purpose}.",
            f"```python\ndef {name}({arguments}):\n    return {python}\n```",
        )
    return (
        f"Write a JavaScript function {name} to {purpose}.",
        f"```js\nfunction {name}({arguments}) {{\n  return {javascript};\n}}\n```",
    )


def small_talk(rng):
    return rng.choice(SMALL_TALK)


# Kinds of question with their weights.
KINDS = [
    (addition, 22),
    (subtraction, 14),
    (comparison, 6),
    (sorting, 8),
    (counting, 6),
    (capital, 8),
    (element, 6),
    (translation, 6),
    (opposite, 5),
    (day, 4),
    (month, 3),
    (reversal, 6),
    (spelling, 5),
    (function, 8),
    (small_talk, 3),
    (chinese_addition, 8),
    (chinese_capital, 6),
    (chinese_day, 3),
]


def questions(rng, count):
    """Pairs of question and true answer, each question once; the first is What is 47 + 85?"""
    asked = {"What is 47 + 85?": "132"}
    kinds, weights = zip(*KINDS)
    while len(asked) < count:
        question, answer = rng.choices(kinds, weights)[0](rng)
        asked.setdefault(question, answer)
    return list(asked.items())
