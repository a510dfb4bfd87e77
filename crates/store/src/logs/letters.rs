//! Which runs of three letters occur in some texts: a Bloom filter with one bit for each run, large enough that a quarter
//! of its bits is set at most. Says "not here" for certain and "maybe" else. Upper and lower case of ASCII are the same;
//! runs with other characters are not asked for, because databases do not agree on their lower case.

/// Bits to begin with; a power of two, and more than a block of records fills.
const MOST: usize = 1 << 20;
/// The smallest filter, bits.
const LEAST: usize = 1 << 10;

/// A filter that is being filled.
pub(super) struct Letters {
    bits: Vec<u64>,
    count: usize,
}

impl Default for Letters {
    fn default() -> Self {
        Self { bits: vec![0; MOST / 64], count: 0 }
    }
}

impl Letters {
    pub(super) fn add(&mut self, text: &str) {
        for run in text.as_bytes().windows(3) {
            let place = place(run) as usize & (MOST - 1);
            let (word, bit) = (&mut self.bits[place / 64], 1 << (place % 64));
            self.count += usize::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Folds the filter in half as long as it stays thin enough, and answers its bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        while self.bits.len() * 64 > LEAST && self.count * 8 <= self.bits.len() * 64 {
            let upper = self.bits.split_off(self.bits.len() / 2);
            for (word, other) in self.bits.iter_mut().zip(upper) {
                *word |= other;
            }
            self.count = self.bits.iter().map(|word| word.count_ones() as usize).sum();
        }
        self.bits.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// A word as filters know it. Whoever is too short for a run of letters may be anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    places: Vec<u32>,
}

impl Word {
    pub(super) fn new(word: &str) -> Self {
        let runs = word.as_bytes().windows(3).filter(|run| run.is_ascii());
        let mut places: Vec<u32> = runs.map(place).collect();
        places.sort_unstable();
        places.dedup();
        Self { places }
    }

    /// Whether filters can tell anything about it.
    pub(super) fn is_telling(&self) -> bool {
        !self.places.is_empty()
    }

    /// The places to look at: bits modulo the size of a filter.
    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    /// Whether the texts behind a filter may contain the word.
    pub(super) fn may_be_in(&self, letters: &[u8]) -> bool {
        let bits = letters.len() * 8;
        bits == 0
            || self.places.iter().all(|place| {
                let bit = *place as usize % bits;
                letters[bit / 8] >> (bit % 8) & 1 == 1
            })
    }
}

/// Spreads a run of letters over 20 bits.
fn place(run: &[u8]) -> u32 {
    let letter = |at: usize| u32::from(run[at].to_ascii_lowercase());
    let mixed = (letter(0) | letter(1) << 8 | letter(2) << 16).wrapping_mul(0x9e37_79b1);
    (mixed >> 12) ^ (mixed & 0xfff)
}

#[cfg(test)]
mod tests {
    use super::{LEAST, Letters, Word};

    fn filter(texts: &[&str]) -> Vec<u8> {
        let mut letters = Letters::default();
        for text in texts {
            letters.add(text);
        }
        letters.finish()
    }

    #[test]
    fn what_was_added_may_be_there_in_any_case() {
        let letters = filter(&["Joined month 7 of the YEAR", "Größe: 5 µm"]);
        for word in ["month", "year", "onth 7 o", "größe", "e: 5", "yea"] {
            assert!(Word::new(word).may_be_in(&letters), "{word}");
        }
        assert_eq!(letters.len() * 8, LEAST);
        for word in ["months", "timeout", "7 of that"] {
            assert!(!Word::new(word).may_be_in(&letters), "{word}");
        }
    }

    #[test]
    fn short_and_foreign_words_say_nothing() {
        for word in ["", "ab", "é", "äöü"] {
            assert!(!Word::new(word).is_telling(), "{word}");
            assert!(Word::new(word).may_be_in(&filter(&["something else"])));
        }
    }

    #[test]
    fn filters_stay_thin_as_texts_grow() {
        let texts: Vec<String> = (0..1000).map(|number| format!("{:x}", number * 7_919_u64.pow(4))).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let letters = filter(&texts);
        let set: u32 = letters.iter().map(|byte| byte.count_ones()).sum();
        assert!(set as usize * 4 <= letters.len() * 8, "{set} of {} bits", letters.len() * 8);
        assert!(texts.iter().all(|text| Word::new(text).may_be_in(&letters)));
    }
}
