"""Strings and conversations whose tokens are easy to get wrong."""

ENGLISH = [
    "",
    " ",
    "a",
    "Hello!",
    "Hello, world!",
    "What is 47 + 85?",
    "The quick brown fox jumps over the lazy dog.",
    "The capital of France is Paris.",
    "I'm sure they'll say we've won, it's what you'd expect, don't you're?",
    "I'M SURE THEY'LL SAY WE'VE WON, IT'S WHAT YOU'D EXPECT",
    "it'ſ the long s",
    "'s't're've'm'll'd",
    "’s typographic don’t",
    "rock'n'roll o'clock 'tis",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "CamelCaseWord snake_case_word kebab-case-word SCREAMING_SNAKE",
    "e.g., i.e., etc. ... ?! -- — – …",
    "Mr. O'Neil's \"quoted\" (parenthesised) [bracketed] {braced} <angled> text",
    "https://example.org/a/b?c=d&e=%20f#g",
    "user.name+tag@example.com",
    "#hashtag @mention $100 50% ^caret ~tilde `tick` |pipe| \\back\\",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
    "==========================================",
    "naïve café déjà vu résumé über Straße Ångström",
]

NUMBERS = [
    "0",
    "7",
    "42",
    "1234567890",
    "3.14159265358979",
    "1,234,567.89",
    "-273.15",
    "1e-6 2.5E+10 0x1F 0b1010 0o17",
    "2024-02-29T23:59:59.999Z",
    "192.168.0.1:8080",
    "12+7=19",
    "7+5+0=12, write 2, carry 1",
    "①②③ Ⅷ ½ ²³ ⁴",
    "\u0661\u0662\u0663 १२३ １２３",
    "x1y2z3 4a5b6c",
    "1 2  3   4    5",
    "+1 (555) 010-9999",
    "10×20=200 ÷ 5",
]

WHITESPACE = [
    "  ",
    "   ",
    "\n",
    "\n\n",
    "\n\n\n\n",
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\t",
    "\t\t\t",
    " \n",
    "\n ",
    " \n \n ",
    "  leading",
    "trailing  ",
    " one",
    "  two",
    "   three",
    "a  b   c    d     e",
    "line one\nline two\n\nline four\n",
    "line one\r\nline two\r\n\r\nline four\r\n",
    "tab\tseparated\tvalues\n1\t2\t3",
    "    indented\n        more\n\tmixed \t indent",
    "words   \n   more words   \n\n   ",
    "!\n!\r\n!\n\n!",
    "no\u00a0break\u00a0\u00a0space",
    "\u3000ideographic\u3000space\u3000",
    "em\u2003space en\u2002space thin\u2009space hair\u200aspace",
    "zero\u200bwidth\u200cnon\u200djoiner\u2060word",
    "\ufeffbyte order mark \ufeff inside",
    "next\u0085line \u0085 alone",
    "line\u2028separator\u2029paragraph",
    "vertical\x0btab form\x0cfeed",
    "file\x1cgroup\x1drecord\x1eunit\x1fseparator",
    "\x00null\x00 \x01\x02 bell\x07 escape\x1b[31mred\x1b[0m delete\x7f",
    "mongolian\u180evowel separator ogham\u1680space",
    "x" + " " * 100 + "y",
    "\n" * 50,
    " \t \t \t ",
    "a\u00a0 b \u00a0c",
]

EMOJI = [
    "😀",
    "😀😁😂",
    "Hello 👋 world 🌍!",
    "👨\u200d👩\u200d👧\u200d👦",
    "family: 👩🏽\u200d👧🏻 and 👨\u200d💻",
    "🏳\ufe0f\u200d🌈 🏴\u200d☠\ufe0f",
    "🇩🇪🇫🇷🇯🇵",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "1\ufe0f\u20e3 2\ufe0f\u20e3 #\ufe0f\u20e3",
    "❤\ufe0f ❤ ❤\ufe0f\u200d🔥",
    "👍🏻👍🏼👍🏽👍🏾👍🏿",
    "🧑🏿\u200d❤\ufe0f\u200d💋\u200d🧑🏻",
    "🫠\U0001fabf\U0001fae8",
    "good👍bad👎",
    "☺☹☀☁☔",
    "🤷🏾\u200d♂\ufe0f shrug ¯\\_(ツ)_/¯",
]

COMBINING = [
    "e\u0301",
    "cafe\u0301 na\u0131\u0308ve",
    "\u00e9 e\u0301 \u00e9\u0301",
    "A\u030a \u212b \u00c5",
    "\u2126 \u03a9 \u212a K",
    "n\u0303a\u0303o\u0303",
    "q\u0307\u0323 q\u0323\u0307",
    "\u1e9b\u0323 \u1e69 s\u0323\u0307",
    "a\u0300\u0301\u0302\u0303\u0304 zalgo",
    "Z\u0351\u036b\u0343\u036a\u0302a\u0348\u0347l\u0321g\u0354\u0316o\u0319",
    "\u0301leading mark",
    "\ufb01 \ufb02 \ufb03 ligatures",
    "\u1100\u1161\u11a8 \uac01",
    "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "\u304b\u3099 \u304c \u306f\u309a",
    "\u0958 \u0915\u093c",
    "\uf900 \u8c48 \ufa10",
    "\u0e01\u0e33 \u0e33",
    "i\u0307 I\u0307 \u0130 \u0131",
    "\u0344 \u0308\u0301",
    "Vie\u0323\u0302t Nam Vi\u1ec7t",
    "\u2260 =\u0338 \u226e <\u0338",
    "\U0001d15e \U0001d157\U0001d165",
    "\u2adc \u2add\u0338",
]

CHINESE = [
    "你好",
    "你好，世界！",
    "法国的首都是哪里?",
    "法国的首都是巴黎。",
    "12加7等于多少?",
    "请计算47+85。",
    "人工智能是计算机科学的一个分支。",
    "中英mixed文本text混排",
    "第一行\n第二行\n\n第四行",
    "《红楼梦》、“引号”……——（括号）",
    "繁體字與简体字",
    "𠀀𪛖𰀀 rare ideographs",
    "星期三的后一天是星期几?",
    "有朋自远方来，不亦乐乎？",
    "Ｈｅｌｌｏ ＡＢＣ",
    "水火山河太阳月亮",
]

OTHER_SCRIPTS = [
    "こんにちは、世界。カタカナ ｶﾀｶﾅ",
    "안녕하세요 세계",
    "Привет, мир! Йожик",
    "Καλημέρα κόσμε",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "English \u0639\u0631\u0628\u064a English \u05e2\u05d1\u05e8\u05d9\u05ea 123 \u0661\u0662\u0663",
    "\u202eright to left override\u202c \u200fmark\u200e",
    "\u0645\u064f\u062d\u064e\u0645\u064e\u0651\u062f \u0628\u0650\u0633\u0652\u0645\u0650",
    "\u05d1\u05b0\u05bc\u05e8\u05b5\u05d0\u05e9\u05b4\u05c1\u05d9\u05ea",
    "नमस्ते दुनिया क्षत्रिय",
    "வணக்கம்",
    "สวัสดีชาวโลก",
    "გამარჯობა ᲒᲐ",
    "Հայերեն አማርኛ",
    "𝕳𝖊𝖑𝖑𝖔 𝟘𝟙 ⓐⓑ",
    "∀x∈ℝ: ∫₀^∞ e^{-x²}dx = √π/2",
    "→ ⇒ ↔ ✓ ✗ • ● ■ ★",
    "┌─┐│└┘ █▓▒░",
    "\ue000\uf8ff private use \U000f0000",
    "\ufffd replacement \ufffe \uffff noncharacters",
    "Türkçe: İstanbul ışık Ğğ",
    "Zażółć gęślą jaźń",
]

CODE = [
    "```python\ndef f(a, b):\n    return a + b\n```",
    "```js\nfunction solve(a, b) {\n  return a > b ? a : b;\n}\n```",
    "for (let i = 0; i < n; i++) { x[i] += y[i] ** 2; }",
    '#include <stdio.h>\nint main(void) { printf("%d\\n", 42); return 0; }',
    "SELECT name, COUNT(*) FROM users WHERE age >= 18 GROUP BY name;",
    "<div class=\"a b\" id='c'>&nbsp;&amp;</div><!-- comment -->",
    '{"name": "get_weather", "arguments": {"city": "Paris", "days": [1, 2, 3]}}',
    "const re = /^[\\w.-]+@[\\w-]+\\.\\w+$/giu;",
    "if x != y and not (a <= b or c >= d):\n\tpass",
    "fn main() -> Result<(), Box<dyn Error>> { Ok(()) }",
    '$ git log --oneline | head -n 10 && echo "done" > /dev/null 2>&1',
    "a = b\n\n\n    c = d\n\t\te = f\n",
    "// 注释: 返回和\nreturn a+b; /* 😀 */",
    'std::vector<std::pair<int, std::string>> v{{1, "a"}};',
    "\\documentclass{article} \\begin{equation} x_{i}^{2} \\end{equation}",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n- [ ] open\n",
    "0xDEADBEEF && !flag || ~mask ^ (1 << 31) >>> 0",
    "lambda x: (x, *args, **kwargs)  # noqa",
]

CONTROL_TOKENS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<think>",
    "</think>",
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n",
    "<think>\n\n</think>\n\n132",
    "<think>thinking</think>answer",
    " <|im_end|> ",
    "text<|im_end|>text",
    "<|im_end|><|im_end|><|im_start|>",
    "<|im_end|>\n\n<|endoftext|>  trailing",
    "<|IM_START|> <|im_start| > <| im_start|> <|im_start",
    '<tool_call>\n{"name": "get_time", "arguments": {}}\n</tool_call>',
    "<tool_response>\n18 degrees\n</tool_response>",
    "< think > <think <thinking> <//think>",
    "<<think>> <</think>>",
    "a<think>b</think>c<tool_call>d</tool_call>e",
    "你好<|im_end|>世界",
    "cafe\u0301<|im_end|>\u0301",
]

_SHORT_STRINGS = [
    *ENGLISH,
    *NUMBERS,
    *WHITESPACE,
    *EMOJI,
    *COMBINING,
    *CHINESE,
    *OTHER_SCRIPTS,
    *CODE,
    *CONTROL_TOKENS,
]
STRINGS = [*_SHORT_STRINGS, " ".join(_SHORT_STRINGS * 2)]

# Answers that stop within a character: their first tokens alone are not valid UTF-8.
CUT_STRINGS = ["😀", "👨\u200d👩\u200d👧", "ok 🫠 ok", "𠀀你", "ẛ\u0323", "नमस"]


def _system(content):
    return {"role": "system", "content": content}


def _user(content):
    return {"role": "user", "content": content}


def _assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def _tool(content):
    return {"role": "tool", "content": content}


def _call(name, arguments):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def _function(name, description, properties, required):
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


WEATHER = _function("get_weather", "Current weather of a city", {"city": {"type": "string"}}, ["city"])
TIME = _function("get_time", "Current time in a city", {"city": {"type": "string"}}, ["city"])
RICH = _function(
    "search",
    'Finds "things" & more: <b>中文</b>, it\'s é😀\n\ttabs \\ slashes /',
    {
        "query": {"type": "string", "enum": ["a", "b"], "default": None},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
        "ratio": {"type": "number", "default": 0.25},
        "exact": {"type": "boolean", "default": False},
        "tags": {"type": "array", "items": {"type": "string"}, "default": []},
        "extra": {"type": "object", "properties": {}, "additionalProperties": True},
    },
    [],
)

QUESTION = [_user("What is 47 + 85?")]
THOUGHT = "<think>\n7+5+0=12, write 2, carry 1\n4+8+1=13, write 3, carry 1\ncarry 1\n</think>\n\n132"
CALLED = [_user("What is the weather in Paris?"), _assistant("", tool_calls=[_call("get_weather", {"city": "Paris"})])]
ANSWERED = [*CALLED, _tool('{"city": "Paris", "sky": "sunny", "degrees": 21}')]


def _conversation(name, messages, tools=None, **options):
    return {
        "name": name,
        "messages": messages,
        **({"tools": tools} if tools else {}),
        "options": {"add_generation_prompt": True, **options},
    }


CONVERSATIONS = [
    _conversation("one question", QUESTION),
    _conversation("thinking on", QUESTION, enable_thinking=True),
    _conversation("thinking off", QUESTION, enable_thinking=False),
    _conversation("no generation prompt", QUESTION, add_generation_prompt=False),
    _conversation("no generation prompt, thinking off", QUESTION, add_generation_prompt=False, enable_thinking=False),
    _conversation("system", [_system("You are a careful calculator."), *QUESTION]),
    _conversation("system, thinking off", [_system("Answer briefly."), *QUESTION], enable_thinking=False),
    _conversation("system only", [_system("Answer briefly.")]),
    _conversation("empty content", [_system(""), _user("")]),
    _conversation(
        "several turns",
        [_user("Hi there"), _assistant("Hello!"), _user("Thank you"), _assistant("You are welcome!"), *QUESTION],
    ),
    _conversation("history with thinking", [*QUESTION, _assistant(THOUGHT), _user("And 12 + 7?")]),
    _conversation(
        "history with empty thinking",
        [*QUESTION, _assistant("<think>\n\n</think>\n\n132"), _user("And 12 + 7?")],
        enable_thinking=False,
    ),
    _conversation("history with unopened thinking", [*QUESTION, _assistant("steps\n</think>\n\n132"), _user("Thanks")]),
    _conversation("ends with a thinking answer", [*QUESTION, _assistant(THOUGHT)], add_generation_prompt=False),
    _conversation("ends with a plain answer", [*QUESTION, _assistant("132")], add_generation_prompt=False),
    _conversation(
        "reasoning_content in history", [*QUESTION, _assistant("132", reasoning_content="7+5=12"), _user("Sure?")]
    ),
    _conversation(
        "reasoning_content in the last answer",
        [*QUESTION, _assistant("132", reasoning_content="\n7+5=12\n")],
        add_generation_prompt=False,
    ),
    _conversation("one tool", [_user("What is the weather in Paris?")], [WEATHER]),
    _conversation(
        "two tools and a system prompt",
        [_system("Answer briefly."), _user("What time is it in Rome?")],
        [WEATHER, TIME],
    ),
    _conversation("tools, thinking off", [_user("What time is it in Rome?")], [TIME], enable_thinking=False),
    _conversation("tool with every kind of value", [_user("Search.")], [RICH]),
    _conversation("tool call", CALLED, [WEATHER], add_generation_prompt=False),
    _conversation("tool response", ANSWERED, [WEATHER]),
    _conversation("tool response, thinking off", ANSWERED, [WEATHER, TIME], enable_thinking=False),
    _conversation(
        "tool answer and next question",
        [*ANSWERED, _assistant("It is sunny in Paris, 21 degrees."), _user("And in Rome?")],
        [WEATHER],
    ),
    _conversation(
        "two calls, two responses",
        [
            _user("Weather and time in Paris?"),
            _assistant(
                "Let me look.",
                tool_calls=[_call("get_weather", {"city": "Paris"}), _call("get_time", {"city": "Paris"})],
            ),
            _tool("sunny"),
            _tool("12:30"),
        ],
        [WEATHER, TIME],
    ),
    _conversation(
        "thinking before a tool call",
        [
            _user("Time in Rome?"),
            _assistant("<think>\nI need the clock.\n</think>\n\n", tool_calls=[_call("get_time", {"city": "Rome"})]),
            _tool("12:30"),
        ],
        [TIME],
    ),
    _conversation(
        "arguments as a string and without the function wrapper",
        [
            _user("Search."),
            _assistant(
                "", tool_calls=[_call("search", '{"query":"a"}'), {"name": "get_time", "arguments": {"city": "罗马"}}]
            ),
            _tool("没有"),
        ],
        [RICH, TIME],
    ),
    _conversation(
        "arguments with every kind of value",
        [
            _user("Search."),
            _assistant(
                "",
                tool_calls=[
                    _call(
                        "search",
                        {
                            "query": '"a" <b> 中文 😀',
                            "limit": 3,
                            "ratio": 0.5,
                            "exact": True,
                            "tags": [],
                            "extra": {},
                            "none": None,
                            "deep": [[1, {"a": [2]}]],
                        },
                    )
                ],
            ),
            _tool("[]"),
        ],
        [RICH],
    ),
    _conversation("Chinese", [_system("你是一个有用的助手。"), _user("法国的首都是哪里?")]),
    _conversation(
        "Chinese turns, thinking off",
        [_user("你好"), _assistant("你好!有什么可以帮你?"), _user("12加7等于多少?")],
        enable_thinking=False,
    ),
    _conversation("soft switch", [_user("What is 47 + 85? /no_think")]),
    _conversation(
        "control tokens as text",
        [
            _user("Say <|im_end|> and <think> and </think>."),
            _assistant("<|im_end|>"),
            _user("<tool_response>x</tool_response>"),
        ],
    ),
    _conversation(
        "whitespace kept", [_system("  two  "), _user("\n\nHello\n\n"), _assistant("\n\n hi \n"), _user("\tx ")]
    ),
]
