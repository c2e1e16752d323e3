//! Pairs of names: frequent given names, surnames and words of company names, with typing errors.

/// Two values to compare.
pub(crate) type Pair = (String, String);

/// Makes up a name.
type Maker = fn(&mut Dice) -> String;

const GIVEN: &str = "james mary robert patricia john jennifer michael linda david elizabeth william barbara \
    richard susan joseph jessica thomas sarah charles karen christopher lisa daniel nancy matthew betty \
    anthony margaret mark sandra donald ashley steven kimberly paul emily andrew donna joshua michelle \
    kenneth carol kevin amanda brian dorothy george melissa timothy deborah ronald stephanie edward \
    rebecca jason sharon jeffrey laura ryan cynthia jacob kathleen gary amy nicholas angela eric shirley \
    jonathan anna stephen brenda larry pamela justin emma scott nicole brandon helen benjamin samantha";
const SURNAMES: &str = "smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez \
    gonzalez wilson anderson thomas taylor moore jackson martin lee perez thompson white harris sanchez \
    clark ramirez lewis robinson walker young allen king wright scott torres nguyen hill flores green \
    adams nelson baker hall rivera campbell mitchell carter roberts gomez phillips evans turner diaz \
    parker cruz edwards collins reyes stewart morris morales murphy cook rogers gutierrez ortiz morgan \
    cooper peterson bailey reed kelly howard ramos kim cox ward richardson watson brooks chavez wood";
const COMPANY_WORDS: &str = "northern united first global advanced precision central coastal mountain pacific \
    atlantic modern general national standard summit pioneer valley river harbor medical electric \
    software consulting logistics engineering construction insurance financial holdings foods \
    pharmaceuticals technologies systems services partners industries materials energy media";
const LEGAL_FORMS: &str = "inc llc ltd gmbh corporation company limited";
const ACCENTED: &str = "müller schröder böhm jäger günther françois hélène zoë renée josé maría núñez \
    peña gonzález rodríguez björk þórsson øystein søren åsa łukasz wójcik żółć dvořák šimková čapek \
    nguyễn trần phạm đặng hüseyin çelik ışık ğökçe čović đorđević szabó tóth kovács őri rūta šarūnas";
const OTHER_SCRIPTS: &str = "иванов смирнов кузнецов попов екатерина александр дмитрий наталья παπαδόπουλος \
    γεωργίου ελένη αντώνης أحمد محمد فاطمة عبدالله כהן לוי אברהם שרה 田中 山本太郎 佐藤花子 王伟 \
    欧阳娜娜 김민준 이서연 박지후 अमित प्रिया राजेश ประเสริฐ สมชาย თამარ გიორგი արամ";

/// Returns pairs of each kind of names, a third of them with typing errors, the others unlike.
pub(crate) fn kinds(count: usize) -> Vec<(&'static str, Vec<Pair>)> {
    let mut dice = Dice::new(1);
    let kinds: [(&str, Maker); 6] = [
        ("given", |dice| dice.word(GIVEN)),
        ("surname", |dice| dice.word(SURNAMES)),
        ("full", |dice| {
            format!("{} {}", dice.word(GIVEN), dice.word(SURNAMES))
        }),
        ("company", Dice::company),
        ("accented", |dice| dice.word(ACCENTED)),
        ("other scripts", |dice| dice.word(OTHER_SCRIPTS)),
    ];
    let kinds = kinds.into_iter();
    kinds
        .map(|(kind, name)| (kind, (0..count).map(|_| dice.pair(name)).collect()))
        .collect()
}

/// A stream of pseudo-random numbers (splitmix64; Steele, Lea, Flood 2014).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % below as u64) as usize
    }

    fn word(&mut self, words: &str) -> String {
        let count = words.split_whitespace().count();
        let word = words.split_whitespace().nth(self.roll(count));
        word.unwrap_or_default().to_owned()
    }

    fn company(&mut self) -> String {
        let words: Vec<String> = (0..=self.roll(2))
            .map(|_| self.word(COMPANY_WORDS))
            .collect();
        format!("{} {}", words.join(" "), self.word(LEGAL_FORMS))
    }

    fn pair(&mut self, name: Maker) -> Pair {
        let first = name(self);
        if self.roll(3) > 0 {
            return (first, name(self));
        }
        let letters: Vec<char> = first.chars().collect();
        let second = self.edited(&first, &letters, 2);
        (first, second)
    }

    /// Returns a text with at least one edit, at most so many.
    fn edited(&mut self, text: &str, alphabet: &[char], most: usize) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        for _ in 0..=self.roll(most) {
            let (at, other) = (
                self.roll(letters.len() + 1),
                alphabet[self.roll(alphabet.len())],
            );
            match self.roll(4) {
                0 => letters.insert(at, other),
                1 if at < letters.len() => letters[at] = other,
                2 if at < letters.len() => drop(letters.remove(at)),
                3 if at + 1 < letters.len() => letters.swap(at, at + 1),
                _ => {}
            }
        }
        letters.into_iter().collect()
    }

    /// Returns a pair of any length and any script, alike or not.
    pub(crate) fn any_pair(&mut self) -> Pair {
        let alphabet = self.alphabet();
        let len_max = [0, 4, 8, 8, 12, 16, 20, 40, 72, 140][self.roll(10)];
        let first = self.text(&alphabet, len_max);
        let second = match self.roll(3) {
            0 => self.text(&alphabet, len_max),
            1 => self.edited(&first, &alphabet, 4),
            _ => {
                let other = self.alphabet();
                self.edited(&first, &other, 2)
            }
        };
        (first, second)
    }

    fn text(&mut self, alphabet: &[char], len_max: usize) -> String {
        let len = self.roll(len_max + 1);
        (0..len)
            .map(|_| alphabet[self.roll(alphabet.len())])
            .collect()
    }

    fn alphabet(&mut self) -> Vec<char> {
        let letters = |text: &str| text.chars().collect();
        match self.roll(8) {
            0 => letters("ab"),
            1 => letters("abcdefgh"),
            2 => letters("abcdefghijklmnopqrstuvwxyz 0123456789"),
            3 => letters("aAbB.@-+\0\u{1}\u{7f}~ 019"),
            4 => letters(ACCENTED),
            5 => letters(OTHER_SCRIPTS),
            // Combining marks, controls, the ends of planes, letters outside the first plane.
            6 => letters(
                "ae\u{301}\u{308}\u{327}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}🦄𠮷𝒜",
            ),
            _ => (0..40).map(|_| self.any_char()).collect(),
        }
    }

    /// Returns any character of Unicode.
    fn any_char(&mut self) -> char {
        char::from_u32(self.roll(0x11_0000) as u32).unwrap_or('\u{fffd}')
    }
}
