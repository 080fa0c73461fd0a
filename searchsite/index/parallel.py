"""The same things said in each language: what an encoder makes of them differs by the language alone (languages.py).

Written for this purpose, over many subjects, so that no subject colours the difference. Each pair is a short
passage; each pair of QUESTIONS is a question as people type it.
"""

PASSAGES = [
    {
        "en": "The meeting has been moved to Thursday at ten. Please tell the people in your team who were invited.",
        "zh": "会议改到星期四上午十点。请通知你们组里收到邀请的人。",
    },
    {
        "en": "Boil the rice for twelve minutes, pour off the water, and let it stand under a lid until it is dry.",
        "zh": "米饭煮十二分钟，倒掉水，盖上锅盖放到水分收干。",
    },
    {
        "en": "The river rises in the mountains, runs through three provinces, and reaches the sea in a wide delta.",
        "zh": "这条河发源于山区，流经三个省，最后在宽阔的三角洲入海。",
    },
    {
        "en": "A function may return several values; the caller unpacks them into as many names.",
        "zh": "一个函数可以返回多个值，调用者把它们分别赋给同样多的名字。",
    },
    {
        "en": "Tickets bought online can be returned up to two hours before departure; a small fee is kept.",
        "zh": "网上买的票最晚可以在发车前两小时退，会扣一小笔手续费。",
    },
    {
        "en": "The patient had a high temperature for three days, but no cough, and got better with rest and water.",
        "zh": "病人发高烧三天，但不咳嗽，休息和多喝水之后好转了。",
    },
    {
        "en": "If the tenant gives no notice, the contract is extended by one year on the same conditions.",
        "zh": "如果租户没有提出解约，合同按原条件自动延长一年。",
    },
    {
        "en": "The home side scored twice in the last five minutes and won a match that seemed lost.",
        "zh": "主队在最后五分钟连进两球，赢下了一场看似已经输掉的比赛。",
    },
    {
        "en": "Light takes about eight minutes to travel from the sun to the earth.",
        "zh": "光从太阳到地球大约需要八分钟。",
    },
    {
        "en": "The server was restarted at night because its disk was full; no data was lost.",
        "zh": "服务器因为磁盘写满，夜里重启过一次，没有丢失数据。",
    },
    {
        "en": "Sales grew by four percent over the year before, while costs stayed as they were.",
        "zh": "销售额比去年增长百分之四，成本保持不变。",
    },
    {
        "en": "The old bridge was built of stone six hundred years ago and is still used every day.",
        "zh": "这座老石桥建于六百年前，今天每天仍有人走。",
    },
    {
        "en": "Children under six travel free when they sit with an adult.",
        "zh": "六岁以下儿童由成人带领乘车免费。",
    },
    {
        "en": "Turn the screw to the left until it stops, then take off the cover and change the battery.",
        "zh": "把螺丝向左拧到底，取下盖子，然后更换电池。",
    },
    {
        "en": "She taught mathematics at a village school for thirty years and wrote poems in the evening.",
        "zh": "她在一所乡村小学教了三十年数学，晚上写诗。",
    },
    {
        "en": "The parcel was handed over to the neighbour because nobody opened the door.",
        "zh": "因为没有人开门，包裹交给了邻居代收。",
    },
    {
        "en": "Plants need light, water and a few minerals; too much water harms the roots.",
        "zh": "植物需要光、水和少量矿物质，水太多会伤根。",
    },
    {
        "en": "Choose a long password that you use nowhere else, and never send it by mail.",
        "zh": "选一个别处没用过的长密码，而且不要用邮件发送。",
    },
    {
        "en": "The court found that the seller had known of the fault and must pay back the price.",
        "zh": "法院认定卖方知道这一缺陷，必须退还货款。",
    },
    {
        "en": "Smoke and heat rise, so in a burning room one should stay close to the floor.",
        "zh": "烟和热气往上走，所以在着火的房间里应当贴近地面。",
    },
    {
        "en": "The museum is closed on Mondays and on public holidays; on Fridays it is open until nine.",
        "zh": "博物馆周一和法定节假日闭馆，周五开放到晚上九点。",
    },
    {
        "en": "The program reads the file line by line, so that even a very large one needs little memory.",
        "zh": "程序逐行读取文件，所以文件再大也只占很少内存。",
    },
    {
        "en": "Two hundred years ago most people in this region lived by fishing and by growing tea.",
        "zh": "两百年前，这一带的人大多靠打鱼和种茶为生。",
    },
    {
        "en": "The bank asks for an identity card and a proof of address before it opens an account.",
        "zh": "银行开户前要看身份证和住址证明。",
    },
    {
        "en": "Write the results of each measurement into the table, with the date and your initials.",
        "zh": "把每次测量的结果连同日期和姓名缩写写进表格。",
    },
    {
        "en": "The storm tore down power lines, and thousands of houses were without electricity until the morning.",
        "zh": "风暴刮断了电线，几千户人家停电到第二天早上。",
    },
    {
        "en": "Employees who have questions about the new rules can write to the address below.",
        "zh": "员工对新规定有疑问，可以写信到下面的地址。",
    },
    {
        "en": "The two languages share many words, but their grammar is quite different.",
        "zh": "这两种语言有很多共同的词，但语法很不一样。",
    },
    {
        "en": "The song became known when it was played at the end of a film about two sisters.",
        "zh": "这首歌因为在一部讲两姐妹的电影结尾播放而出名。",
    },
    {
        "en": "Iron is heated until it glows, and then formed with a hammer before it gets cold.",
        "zh": "铁烧到发红，趁热用锤子打成形。",
    },
]

QUESTIONS = [
    {"en": "how do I get there from the airport", "zh": "从机场怎么过去"},
    {"en": "who do I have to ask first?", "zh": "要先问谁？"},
    {"en": "how long can milk be kept in the fridge", "zh": "牛奶在冰箱里能放多久"},
    {"en": "my screen stays black", "zh": "屏幕一直是黑的"},
    {"en": "what does it cost and who pays", "zh": "要多少钱，谁来付"},
    {"en": "where can I find the form", "zh": "表格在哪里找"},
    {"en": "sort a list by the second column", "zh": "按第二列给列表排序"},
    {"en": "when was the city founded?", "zh": "这座城市是什么时候建的？"},
    {"en": "am I allowed to take photographs here", "zh": "这里可以拍照吗"},
    {"en": "I forgot to sign the contract", "zh": "我忘了在合同上签字"},
    {"en": "difference between the two versions", "zh": "两个版本有什么区别"},
    {"en": "what to do when a child has a fever", "zh": "孩子发烧怎么办"},
    {"en": "why is the sky blue", "zh": "天空为什么是蓝色的"},
    {"en": "how many people live on the island?", "zh": "岛上住着多少人？"},
    {"en": "the heating in my office does not work", "zh": "我办公室的暖气坏了"},
    {"en": "can I change the date of my order", "zh": "订单的日期可以改吗"},
    {"en": "read a file line by line", "zh": "逐行读取文件"},
    {"en": "who won the final last year?", "zh": "去年决赛谁赢了？"},
    {"en": "what happens if I pay too late", "zh": "付款晚了会怎么样"},
    {"en": "which plants need little water", "zh": "哪些植物不太需要浇水"},
    {"en": "is it dangerous to touch this", "zh": "碰这个危险吗"},
    {"en": "how is steel made?", "zh": "钢是怎么炼成的？"},
    {"en": "I want to learn to swim", "zh": "我想学游泳"},
    {"en": "how often must it be tested", "zh": "多久要检查一次"},
]
