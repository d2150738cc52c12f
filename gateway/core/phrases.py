"""Closed-class words and their like: where a phrase begins, and what no phrase ends in.

Three short lists per language. `joins` are conjunctions, relatives and question words, before which speech may pause;
`leads` are prepositions, before which it may pause less well; `binds` are articles, pronouns, auxiliaries and negations,
which lean on the word after them. No cut that can be avoided comes after any of the three. The same words tell two other
things: a capitalized one begins a sentence, and none of them is an abbreviation.
"""

from __future__ import annotations

from typing import NamedTuple


class ClosedClass(NamedTuple):
    """The closed-class words of a language, in lower case; `words` are all of them."""

    joins: frozenset[str]
    leads: frozenset[str]
    binds: frozenset[str]
    words: frozenset[str]


class Habits(NamedTuple):
    """What else of a language tells where its phrases end, in lower case.

    `trailing` words lean on the word before them. `leaning` words are no small words and yet lean on the word after them,
    as do words that end in `leaning_ends`, and adverbs (`adverb_ends`) behind a small word. `standing` words are small and
    yet end a phrase if a conjunction follows. `particles` are prepositions that end one if a mark, another preposition or a
    conjunction follows. Words that end in `modifier_ends` mostly stand before a noun.
    """

    trailing: frozenset[str] = frozenset()
    leaning: frozenset[str] = frozenset()
    leaning_ends: tuple[str, ...] = ()
    adverb_ends: tuple[str, ...] = ()
    standing: frozenset[str] = frozenset()
    particles: frozenset[str] = frozenset()
    modifier_ends: tuple[str, ...] = ()


def _words(joins: str, leads: str, binds: str) -> ClosedClass:
    first, second, third = (frozenset(words.split()) for words in (joins, leads, binds))
    return ClosedClass(first, second, third, words=first | second | third)


NOTHING = _words("", "", "")

CLOSED_CLASS: dict[str, ClosedClass] = {
    "en": _words(
        "and but or nor because so that which who whom whose when while where whereas if although though unless until"
        " since than whether as once why how what however therefore thus then yet",
        "in on at with for from by to of into about over under between through during after before without within"
        " against among across around towards toward upon despite like near via except above below behind beyond along"
        " inside outside beside throughout"
        " regarding including onto amid amongst beneath per",
        "the a an this these those my your his her its our their some any each every no all both many much most more"
        " such another other i you he she it we they is are was were be been being am has have had do does did can could"
        " will would shall should may might must not don't doesn't didn't isn't aren't wasn't can't won't very too also"
        " just only there here it's i'm i've you're we're they're he's she's that's there's let's",
    ),
    "de": _words(
        "und oder aber denn sondern weil dass daß wenn ob als obwohl während damit sodass bevor nachdem bis seit falls"
        " sobald solange wer was wo wann warum wie welche welcher welches wobei wodurch deshalb daher trotzdem jedoch",
        "in im an am auf aus bei beim mit nach von vom zu zum zur für durch gegen ohne um über unter vor hinter neben"
        " zwischen wegen trotz ab innerhalb außerhalb laut gegenüber seitens aufgrund",
        "der die das den dem des ein eine einen einem einer eines kein keine keinen mein dein sein seine seinen seiner"
        " unser euer dieser diese dieses diesen diesem jeder jede jedes alle viele einige manche ich du er es wir man"
        " ist sind war waren wird werden wurde wurden hat haben hatte hatten kann können konnte muss müssen soll sollte"
        " will wollen darf nicht auch nur sehr noch schon so doch hier da dort mich dich sich uns euch ihm ihn",
    ),
    "fr": _words(
        "et ou mais donc car ni que qui dont où quand lorsque puisque parce comme si quoique tandis afin pourquoi"
        " comment cependant toutefois ainsi alors puis pourtant lequel laquelle lesquels",
        "à de en dans sur sous avec sans pour par chez vers entre contre depuis pendant avant après jusque durant"
        " malgré selon parmi devant derrière dès hors outre",
        "le la les un une des du au aux l d ce cet cette ces mon ma mes ton ta tes son sa ses notre nos votre vos leur"
        " leurs je j tu il elle on nous vous ils elles c qu s n m t se ne pas plus est sont était étaient a ont avait"
        " avaient sera seront été être avoir peut peuvent doit fait tout tous toute toutes chaque quelque quelques"
        " plusieurs très aussi y aucun aucune",
    ),
    "es": _words(
        "y e o u pero sino porque que quien quienes cual cuales cuyo donde cuando como si aunque mientras pues ni para"
        " entonces además qué quién cuándo dónde cómo sin embargo",
        "a de en con por sobre sin entre hasta desde hacia según durante contra ante bajo tras mediante excepto",
        "el la los las un una unos unas al del lo mi mis tu tus su sus nuestro nuestra este esta estos estas ese esa"
        " esos esas yo tú él ella ellos ellas nosotros usted ustedes me te se nos le les no es son era eran fue fueron"
        " ha han había ser estar está están puede pueden debe hay muy más también todo toda todos todas cada algún"
        " alguna algunos algunas ningún ninguna otro otra",
    ),
    "it": _words(
        "e ed o oppure ma però perché che chi cui quando dove come se anche mentre poiché quindi dunque né affinché"
        " benché sebbene inoltre tuttavia quale quali siccome",
        "a ad di in con su per da tra fra senza verso contro durante dopo prima secondo oltre presso sotto sopra entro",
        "il lo la i gli le un uno una l al allo alla ai agli alle del dello della dei degli delle dal dalla dai nel"
        " nello nella nei negli nelle sul sulla sui col questo questa questi queste quel quello quella quei mio mia tuo"
        " suo sua suoi nostro loro io tu lui lei noi voi essi mi ti si ci vi ne me te sé non è sono era erano ha hanno"
        " aveva fu furono essere può possono deve più molto tutto tutti tutta ogni alcuni alcune altri tre no",
    ),
    "pt": _words(
        "e ou mas porém porque que quem cujo onde quando como se embora enquanto pois nem portanto então contudo"
        " qual quais também todavia",
        "a de em com por para sobre sem entre até desde durante contra após sob segundo perante conforme",
        "o os as um uma uns umas ao à aos às do da dos das no na nos nas pelo pela pelos pelas num numa este esta estes"
        " estas esse essa isso isto aquele aquela meu minha seu sua seus suas nosso nossa eu tu ele ela nós vós eles"
        " elas você vocês me te lhe não é são era eram foi foram ser está estão tem têm tinha há pode podem deve muito"
        " mais todo toda todos todas cada algum alguma alguns outro outra",
    ),
    "nl": _words(
        "en of maar want dat die omdat als toen terwijl hoewel zodat indien voordat nadat totdat wie wat waar wanneer"
        " waarom hoe dus echter daarom bovendien zoals welke",
        "in op aan met van voor naar bij uit door over onder tussen tegen zonder om tot na sinds tijdens volgens"
        " vanaf vanwege binnen buiten achter naast per",
        "de het een deze dit mijn jouw je zijn haar ons onze hun ik jij u hij zij ze wij we jullie er is was waren"
        " wordt worden werd werden heeft hebben had hadden kan kunnen kon moet moeten zal zullen zou mag niet geen ook"
        " nog al zeer te elke elk ieder iedere alle veel sommige hier daar",
    ),
    "sv": _words(
        "och eller men för att som om när då medan eftersom därför innan efter sedan samt utan vilken vilket vilka vem"
        " vad var hur varför dock så",
        "i på av till från med vid under över mellan genom mot utan hos enligt inom kring bland mellan före ur åt",
        "en ett den det de denna detta dessa min din sin hans hennes dess vår er deras jag du han hon vi ni man är var"
        " har hade blev blir ska skulle kan kunde måste får inte också mycket alla varje många några här där sig mig"
        " någon något ingen inget",
    ),
    "da": _words(
        "og eller men for at som der hvis når da mens fordi før efter siden samt hvilken hvilket hvad hvem hvor hvordan"
        " hvorfor dog så derfor",
        "i på af til fra med ved under over mellem gennem mod uden hos ifølge inden blandt om ad omkring",
        "en et den det de denne dette disse min din sin hans hendes dens vores jeres deres jeg du han hun vi i man er"
        " var har havde blev bliver skal skulle kan kunne må ikke også meget alle hver mange nogle her sig mig nogen"
        " ingen",
    ),
    "no": _words(
        "og eller men for at som hvis når da mens fordi før etter siden samt hvilken hvilket hva hvem hvor hvordan"
        " hvorfor likevel så derfor",
        "i på av til fra med ved under over mellom gjennom mot uten hos ifølge innen blant om rundt ut",
        "en et ei den det de denne dette disse min din sin hans hennes dens vår deres jeg du han hun vi dere man er var"
        " har hadde ble blir skal skulle kan kunne må ikke også mye alle hver mange noen her der seg meg ingen",
    ),
    "is": _words(
        "og eða en að sem þegar þar því ef þó svo hvort hver hvað hvar hvernig meðan þegar áður",
        "í á af til frá með við um fyrir eftir yfir undir milli gegn án hjá úr vegna samkvæmt",
        "það þessi þetta þessir hann hún þeir þær þau ég þú við sá sú er var eru voru hefur hafa hafði verið mun skal"
        " getur ekki einnig allir allt margir sinn sína hans hennar þeirra",
    ),
    "fi": _words(
        "ja tai mutta että kun jos koska vaikka sekä joka jotka jossa mikä kuka missä milloin miksi miten kuin eli sillä"
        " kuitenkin siksi vaan",
        "ilman ennen",
        "se ne tämä tuo nämä nuo hän he minä sinä me te on ovat oli olivat ei eivät eikä ole olla voi voivat myös hyvin"
        " vielä jo sen niiden hänen heidän sitä tätä näin siellä täällä tässä siinä kaikki moni jokainen",
    ),
    "cs": _words(
        "a i nebo ale že aby když protože pokud jestli zda který která které kteří kdo co kde kdy jak proč než však"
        " proto tedy avšak neboť zatímco ani",
        "v ve na s se z ze do od k ke o u po pro při před za nad pod mezi bez podle kvůli během díky kolem",
        "ten ta to ti ty tento tato toto můj tvůj jeho její náš váš jejich já on ona ono my vy oni si je jsou byl byla"
        " bylo byli byly bude budou není nejsou má mají měl může mohou musí ne také velmi už jen každý všechny každá"
        " jsem jsme by tak",
    ),
    "sk": _words(
        "a i alebo ale že aby keď pretože ak či ktorý ktorá ktoré ktorí kto čo kde kedy ako prečo než však preto teda",
        "v vo na s so z zo do od k ku o u po pre pri pred za nad pod medzi bez podľa počas okolo",
        "ten tá to tí tie tento táto toto môj tvoj jeho jej náš váš ich ja on ona ono my vy oni si sa je sú bol bola"
        " bolo boli bude budú nie má majú mal môže môžu musí aj tiež veľmi už len každý všetky som sme by tak",
    ),
    "pl": _words(
        "i oraz lub albo ale że żeby aby gdy kiedy ponieważ jeśli jeżeli czy który która które którzy kto co gdzie jak"
        " dlaczego niż jednak dlatego więc zaś choć a ani natomiast lecz bo",
        "w we na z ze do od o u po dla przy przed za nad pod między bez według podczas przez ku wobec wśród oprócz",
        "ten ta to ci te tej tym tego mój twój jego jej nasz wasz ich ja on ona ono my wy oni one się jest są był była"
        " było byli były będzie będą nie ma mają miał może mogą musi też także bardzo już tylko każdy wszystkie wszyscy"
        " został została zostały",
    ),
    "ru": _words(
        "и или но а что чтобы когда потому если хотя который которая которое которые которых кто где как почему чем"
        " однако поэтому также либо пока ли зато",
        "в во на с со из к ко о об от до у по за под над между без для при про через перед после из-за около среди"
        " кроме согласно благодаря",
        "не ни это этот эта эти этого тот та те мой твой его её ее их наш ваш свой я ты он она оно мы вы они был была"
        " было были есть будет будут может могут бы же уже ещё еще только очень все всё каждый так там здесь",
    ),
    "uk": _words(
        "і й та або але що щоб коли тому якщо хоча який яка яке які хто де як чому ніж однак проте бо а також чи поки",
        "в у на з зі із до від о об по за під над між без для при про через перед після біля серед крім",
        "не ні це цей ця ці той ті мій твій його її їх їхній наш ваш свій я ти він вона воно ми ви вони був була було"
        " були є буде будуть може можуть би б же вже ще тільки дуже все всі кожен так там тут",
    ),
    "bg": _words(
        "и или но а че за когато защото ако макар който която което които кой какво къде как защо обаче затова също",
        "в във на с със от до по при без между под над пред след през към около според",
        "не това този тази тези той тя то те аз ти ние вие се си е са беше бяха ще може могат да много всички всеки"
        " моят неговият няма има",
    ),
    "hr": _words(
        "i ili ali da kad kada jer ako iako koji koja koje kojih tko što gdje kako zašto nego no međutim zato te a dok",
        "u na s sa iz do od k o po za pri pred pod nad između bez prema tijekom kroz kod nakon prije",
        "taj ta to ti te ovaj ova ovo moj tvoj njegov njezin naš vaš njihov ja on ona ono mi vi oni se je su bio bila"
        " bilo bili će ne nije nisu ima može mogu mora također vrlo već samo svi svaki",
    ),
    "ro": _words(
        "și sau dar iar că să când deoarece dacă deși care cine ce unde cum cât decât însă deci nici ori fiindcă",
        "în la de cu pe din prin pentru după până fără sub peste între contra spre despre lângă",
        "un o unui unei al a ai ale cel cea cei cele acest această acești aceste el ea ei ele eu tu noi voi se îi îl nu"
        " este sunt era erau a au fost fi va vor poate pot trebuie mai foarte toate toți fiecare",
    ),
    "hu": _words(
        "és vagy de hogy ha mert amikor aki ami amely amelyek akik ahol mint bár azonban ezért tehát hiszen miért ki"
        " mi hol pedig illetve valamint",
        "",
        "a az egy ez ezek azok én te ő mi ti ők nem is van vannak volt voltak lesz kell lehet már még csak nagyon"
        " minden sok ezt azt meg sem el",
    ),
    "tr": _words(
        "ve veya ya ama fakat ancak çünkü eğer ki ise hem ne de da ile gibi için kadar sonra önce",
        "",
        "bir bu şu o ben sen biz siz onlar değil çok daha en her bazı tüm bütün hiç şey var yok",
    ),
    "el": _words(
        "και ή αλλά ότι πως που όταν γιατί επειδή αν ενώ όπως ώστε αφού μήπως ποιος τι πού πώς όμως ούτε λοιπόν",
        "σε με από για προς κατά μετά χωρίς πριν μέχρι ως υπό παρά στο στη στην στον στους στις στα",
        "ο η το οι τα του της των τον την τους τις ένας μια μία ένα αυτός αυτή αυτό αυτοί εγώ εσύ εμείς δεν δε μην θα"
        " να είναι ήταν έχει έχουν είχε μπορεί πολύ κάθε όλα όλοι μου σου",
    ),
    "ca": _words(
        "i o però perquè que qui on quan com si encara mentre doncs ni sinó quin quina",
        "a de en amb per sobre sense entre fins des cap segons durant contra sota",
        "el la els les un una uns unes al als del dels l d aquest aquesta aquests aquell meu seu seva jo tu ell ella"
        " nosaltres ells no és són era eren va van ha han pot hi ho es molt més tot tots cada",
    ),
    "id": _words(
        "dan atau tetapi tapi karena bahwa yang jika kalau ketika saat sehingga agar meskipun walaupun sedangkan siapa"
        " apa mengapa bagaimana namun serta maka sebelum setelah",
        "di ke dari pada dengan untuk oleh dalam tentang antara terhadap hingga sampai bagi tanpa menurut selama",
        "ini itu saya aku kamu anda dia ia kami kita mereka adalah ialah tidak bukan akan telah sudah sedang dapat bisa"
        " harus ada juga sangat lebih para sebuah seorang setiap semua",
    ),
    "hi": _words(
        "और या लेकिन मगर परन्तु किन्तु क्योंकि कि जो जब अगर यदि तो जहाँ जहां इसलिए ताकि जबकि तथा एवं",
        "",
        "यह वह ये वे मैं तुम आप हम एक इस उस इन उन कोई कुछ सभी हर मेरा मेरी मेरे नहीं न बहुत",
    ),
}
CLOSED_CLASS["nb"] = CLOSED_CLASS["nn"] = CLOSED_CLASS["no"]
CLOSED_CLASS["ms"] = CLOSED_CLASS["id"]
CLOSED_CLASS["bs"] = CLOSED_CLASS["hr"]

NAME_PARTICLES = frozenset(
    "de di da du la le van von der den el al del della dos das do lo los las san mac mc ten ter".split()
)
"""Words of the lists above that also begin family names."""

COORDINATORS = frozenset(
    "and or nor und oder et ou y e o u ed en of och eller og ja tai a i nebo alebo lub albo oraz и или й та або ili și sau"
    " és vagy ve veya και ή dan atau और या".split()
)
"""Conjunctions that also join two words within a phrase, of all languages; whether one is a conjunction its own list says."""

NO_HABITS = Habits()

HABITS = {
    "en": Habits(
        trailing=frozenset("up off out down away back ago else either together".split()),
        leaning=frozenset(
            "due according instead rather ever never always often still even almost quite really already currently about"
            " around few several own same first second third last next new two three four five six seven eight nine ten"
            " dozen hundred thousand million billion mr mrs ms dr president".split()
        ),
        leaning_ends=("'s", "s'"),
        adverb_ends=("ly",),
        standing=frozenset("it you this that these those here there too".split()),
        particles=frozenset("in on about over by around along through across".split()),
        modifier_ends=(
            *("ous", "ive", "ful", "less", "able", "ible", "ical", "ial"),
            *("nal", "ral", "ary", "ic", "ish", "est"),
        ),
    ),
    "hi": Habits(
        trailing=frozenset(
            "ने को से में पर का की के तक है हैं था थी थे हो हुआ हुई गया गई ही भी वाला वाले वाली लिए".split()
        )
    ),
}
