# SPDX-License-Identifier: BSD-2-Clause
# What python3 does for the benchmark: objects, strings, JSON, sorting.
import json
import re

words = ['word%d' % (i * 7919 % 10007) for i in range(30000)]
for turn in range(5):
    index = {}
    for place, word in enumerate(words):
        index.setdefault(word, []).append(place)
    text = json.dumps(index)
    back = json.loads(text)
    assert back == index
    parts = [dict(name=word, places=tuple(places), size=len(word) * 1.5)
             for word, places in back.items()]
    parts.sort(key=lambda part: (part['size'], part['name']))
    lines = ['%s: %s' % (part['name'], ', '.join(map(str, part['places']))) for part in parts]
    found = re.findall(r'word(\d+)5:', '\n'.join(lines))
    assert len(found) > 900
