"""Texts that a model is tried with when it is loaded: what it meets here, in many languages, it will meet again."""

# From these the ranges are taken of what goes into products of integers.
MET = [
    "The committee published its report on the safety of the bridge in March, three months later than planned.",
    "How do I reset my password?",
    "Protein intake of adults over 65 was associated with a lower risk of hip fracture (OR 0.72, 95% CI 0.55-0.93).",
    "def area(radius): return 3.14159 * radius ** 2  # in square metres",
    "kubectl get pods --namespace=default -o wide | grep -v Running",
    "合同自双方签字盖章之日起生效，有效期三年；任何一方违约，应当承担赔偿责任。",
    "怎样申请年假？",
    "研究人员发现，长期缺乏睡眠会影响记忆力，并增加患心血管疾病的风险。",
    "東京の冬は晴れの日が多く、空気がとても乾燥しています。",
    "서버가 응답하지 않으면 관리자에게 문의하십시오.",
    "Der Vertrag kann mit einer Frist von vier Wochen zum Monatsende gekündigt werden.",
    "Où puis-je trouver le formulaire de demande de remboursement ?",
    "La temperatura media del océano subió 0,6 grados entre 1980 y 2020.",
    "Документы необходимо подать до пятнадцатого числа каждого месяца.",
    "يجب على الموظفين ارتداء خوذة السلامة في موقع البناء.",
    "बारिश के कारण कल की बैठक स्थगित कर दी गई है।",
    "THE QUICK BROWN FOX, in capitals; and WARNING: DISK FULL (98 %)!",
    "- item one\n- item two\n\n| a | b |\n| 1 | 2 |\nhttps://example.org/path?x=1&y=2",
    "cat",
    "猫",
    "1",
    "?",
    "Berlin",
    "error 404",
]

# On these they are tried. None of them is among those above.
TRIED = [
    "hello",
    "水",
    "What is the boiling point of nitrogen?",
    "A vaccine shows the immune system a harmless part of a germ, so that it knows the germ when it comes.",
    "如何在家里种植西红柿？需要每天浇水吗？",
    "Die Bibliothek öffnet am Samstag erst um zehn Uhr, im August bleibt sie geschlossen.",
    "Les enfants jouaient dans le jardin pendant que la pluie commençait à tomber.",
    "Кошки спят большую часть дня.",
    "SELECT name, count(*) FROM visits GROUP BY name HAVING count(*) > 10;",
    "In 2019, Norway exported 1.4 million barrels of oil a day, worth NOK 264 billion.",
    "冬になると、北の湖から多くの白鳥が飛んできます。",
    "고양이는 하루 종일 잔다.",
]
TRIED += ["\n".join(TRIED), " ".join(TRIED[3:7]) * 2]
MET += ["\n".join(MET), " ".join(MET[:8]), " ".join(MET[8:16])]
