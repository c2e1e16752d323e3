//! Names that many bear and places that many live in, for columns whose name tells nothing.
//!
//! General knowledge of common surnames and large cities, folded; a column counts as such a one if
//! a fair share of its different values is listed, so that no list needs to be whole.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Given names that are frequent somewhere, beside those with diminutives that the normaliser knows.
const GIVEN_NAMES: &str = "
aaliyah abdullah aditya agnieszka aiko akira aleksandra alessandro alessia ali alina amelie amina amir ana ananya anders
andreas andrei andrzej anja anke anna annika antoine antonia anton arjun arthur astrid ayse bartosz beata bernd bianca birgit
bjorn bogdan camille carlos celine chiara chloe christiane clara claire clement damien dariusz davide deepak diego dieter
dirk dmitri dominik dorota dylan ekaterina elif elin elke emil emilia emre erik erika etienne ewa fatima fatma fabian federica
federico felipe florian francesca francois frank friedrich gabriele georgios gerd giulia grzegorz guillaume gunter hakan hans
haruto hanna helga helmut hiroshi holly hugo ilse inga ingo irina isla ivan jakub jana jens jerzy joao joanna joaquin jorg
josef juan julien jurgen kai kamil karin katarzyna kenji kevin klaus krzysztof lara lars laura layla lea lena leonie lina
linnea liam lorenzo luca lucia ludovic luigi lukas maciej magda maja malgorzata manfred manon marcel marco marek mariana
marie mario markus marta martina mateo mateusz mats matteo mehmet mia michal miguel mika mikael milan minh miriam mohamed
mohammad muhammad monika murat nadine natalia nguyen niamh nico nikolai nils nina noah olga olivier oskar ozgur pablo paolo
pascal pawel pedro peter petra philippe pietro piotr priya rafael rafal rahul raj ralf reiner renate ricardo riccardo
rosa sabine sakura samir sandra sanjay santiago sara sebastien sergey siobhan silvia simona sofie sonja stefan stefania
steffen sven svetlana sylvie szymon takashi tatjana thierry thijs thomas thorsten tim tobias tomasz torsten ulrich uwe
valentina vincenzo vladimir waltraud wei werner wojciech xavier xin yan yannick yasmin yuki yusuf yves zainab zbigniew zofia
";

/// Surnames that are frequent somewhere.
const SURNAMES: &str = "
adams ahmed alexander ali allen alvarez andersen anderson andersson andrews armstrong arnold bailey baker barker barnes
bauer becker beck begum bell bennett berg bergmann bernard bertrand bianchi bjork black blanc bonnet booth bradley braun brooks brown
bruno bryant burke burns butler byrne campbell carlsson carpenter carroll carter castillo castro chan chapman chavez chen clark
clarke coleman collins colombo conti cook cooper costa cox crawford cruz cunningham dahl davidson davies davis day delgado
diaz dijkstra dixon doyle dubois dumont duncan dunn dupont durand edwards eklund eliasson elliott ellis eriksen eriksson esposito
evans fernandes fernandez ferrari ferrari ferreira fischer fisher fletcher flores fontaine ford foster fournier fox francis
franke fraser freeman friedrich fuchs gallo garcia gardner garnier george gibson girard giordano gomes gomez goncalves
gonzalez gonzales gordon graham grant gray greco green griffin griffiths gruber gutierrez hahn hall hamilton hansen hansson
harper harris harrison hartmann harvey hawkins hayes henderson hendriks henry herman hernandez herrera herrmann hill hoffman
hoffmann holland holmes horvath howard hughes hughes hunt hunter huber hussain huang ivanov ivanova jackson jacobs jacobsen james
jansen janssen jansson jenkins jensen jimenez johansen johansson johnson johnston jones jorgensen jung kaiser kapoor karlsson kaya
keller kelly kennedy khan kim king klein knight koch kohler konig kovac kovacs kowalczyk kowalski kramer kraus krause kruger kumar
kuznetsov lambert lane lang larsen larsson laurent lawrence lawson lee lefebvre lehmann leroy lewandowski lewis li lin lindberg
liu lloyd lombardi long lopes lopez ludwig lund luo maier mancini marino marsh marshall martin martinez martins mason matthews
mayer mcdonald medina mehta meier mendoza mercier meyer miller mills mitchell moller mohr moore morales moreau moreno morgan
moretti morin morris morrison muller murphy murray myers nelson neumann newman nguyen nielsen nilsen nilsson nowak obrien
oliveira olsen olsson ortega ortiz owen owens palmer papadopoulos park parker parsons patel pearce pearson pedersen pereira perez
perkins perry persson peters petersen peterson petit petrov phillips pinto popa popescu popov porter powell price ramirez ramos
rasmussen reed reid reyes reynolds ribeiro ricci richard richards richardson richter rivera rizzo robert roberts robertson
robinson rodrigues rodriguez rogers romano romero rose ross rossi rousseau roux roy ruiz russell russo ryan saito santos sanchez
sanders sato saunders schafer schmid schmidt schmitt schmitz schneider scholz schroder schubert schulz schulze schumacher schuster
schwarz scott sharma shaw silva simmons simon simpson singh smirnov smit smith sorensen sousa stein stevens stewart stone sullivan
suzuki svensson szabo takahashi tanaka tan taylor thomas thompson thomsen thomson torres toth tran tucker turner vargas vasquez
vega vidal vincent visser vogel volkov wagner walker wallace walsh walter wang ward warren washington watanabe watson watts weber
webb weiss wells werner west white wilkinson williams williamson wilson winkler winter wisniewski wojcik wolf wolff wong wood
woods wright wu xu yamamoto yang yilmaz young zhang zhao zhou zimmermann
";

/// Cities that are large in their country.
const CITIES: &str = "
aachen aarhus aberdeen adelaide albuquerque alicante almere amiens amsterdam angers ankara antwerp arlington athens atlanta
augsburg aurora austin bakersfield baltimore bangalore barcelona bari basel beijing belfast belo-horizonte berlin bergamo bergen bern
bialystok bielefeld bilbao birmingham blackpool bochum bogota bologna bolton bonn bordeaux boston bournemouth bradford braga brasilia bratislava
braunschweig bremen brescia brest brighton brisbane bristol brno brussels bucharest budapest buenos-aires buffalo bydgoszcz cairo
calgary cambridge canberra cardiff caracas catania charlotte chelmsford chemnitz chennai chicago cincinnati cleveland coimbra cologne
columbus copenhagen cordoba coventry cracow curitiba dallas darmstadt darwin delhi denver derby detroit dijon dortmund dresden dublin
duisburg dundee durban dusseldorf edinburgh edmonton eindhoven erfurt essen exeter fargo florence fort-worth frankfurt freiburg fresno
gdansk gdynia geelong gelsenkirchen geneva genoa ghent gijon glasgow gloucester gothenburg goteborg granada graz grenoble groningen guadalajara
guangzhou haarlem halle hamburg hangzhou hannover hanover helsinki hobart hong-kong houston hull hyderabad indianapolis innsbruck
ipswich istanbul izmir jacksonville jakarta johannesburg kaiserslautern kansas-city karachi karlsruhe kassel katowice kiel kiev koln koblenz kobe
kobenhavn kolkata krakow krefeld kyiv kyoto lagos lahore las-vegas lausanne leeds leicester leiden leipzig lens lille lima limoges
linz lisbon lisboa liverpool ljubljana lodz london londres long-beach los-angeles louisville lublin lubeck lucerne luton lyon madrid
magdeburg mainz malaga malmo manchester manila mannheim marseille melbourne memphis mesa metz mexico-city miami middlesbrough milan milano
milwaukee minneapolis monterrey montpellier montreal moscow mulhouse mumbai munchen munich munster murcia nagoya nantes naples napoli
nashville newark newcastle new-orleans new-york newport nice nijmegen nimes northampton norwich nottingham nurnberg oakland odense
oklahoma-city oldham omaha oporto orleans osaka oslo ostrava ottawa oviedo oxford padua palermo palma paris parma perth perugia peterborough philadelphia
phoenix pisa pittsburgh plymouth poole porto portland porto-alegre portsmouth potsdam poznan prague praha preston quebec quito raleigh reading
recife reims rennes rio-de-janeiro riga rochester roma rome rostock rotterdam rouen saarbrucken sacramento saint-etienne salamanca salvador salzburg
san-antonio san-diego san-francisco san-jose sao-paulo santiago saragossa seattle seoul seville sevilla shanghai sheffield shenzhen
singapore slough sofia southampton southend stavanger stockholm stockport stoke stuttgart sunderland swansea swindon sydney szczecin taipei
tallinn tampa tampere taranto telford tilburg tokyo toronto torun toulon toulouse tours trieste trondheim tucson tulsa turin torino turku
uppsala utrecht valencia valladolid vancouver venice verona vienna vigo vilnius virginia-beach warrington warsaw warszawa washington
wellington wichita wien wiesbaden winnipeg wolfsburg wolverhampton worcester wroclaw wuppertal wurzburg yokohama york zagreb zaragoza zurich
";

fn set(text: &'static str) -> BTreeSet<String> {
    text.split_whitespace()
        .map(|word| word.replace('-', " "))
        .collect()
}

static GIVEN_NAME_SET: LazyLock<BTreeSet<String>> = LazyLock::new(|| set(GIVEN_NAMES));
static SURNAME_SET: LazyLock<BTreeSet<String>> = LazyLock::new(|| set(SURNAMES));
static CITY_SET: LazyLock<BTreeSet<String>> = LazyLock::new(|| set(CITIES));

/// Tells whether a folded word is a given name that many bear.
pub(super) fn is_given_name(word: &str) -> bool {
    sameas_record::is_known_given_name(word) || GIVEN_NAME_SET.contains(word)
}

/// Tells whether a folded word is a surname that many bear.
pub(super) fn is_surname(word: &str) -> bool {
    SURNAME_SET.contains(word)
}

/// Tells whether a folded text is a large city.
pub(super) fn is_city(text: &str) -> bool {
    CITY_SET.contains(text)
}
