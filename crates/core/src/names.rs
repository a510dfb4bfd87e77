//! Names that Tidegate makes up, and names that it accepts.

/// Why a name cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidName {
    #[error("a name cannot be empty")]
    Empty,
    #[error("`{0}` cannot contain any of / % & > <")]
    BannedCharacter(String),
    #[error("`{0}` can only contain lowercase letters, numbers, and dashes")]
    NotDashes(String),
    #[error("`{0}` can only contain lowercase letters, numbers, dashes and underscores")]
    NotDashesOrUnderscores(String),
    #[error("a name of {length} characters is longer than {most}")]
    TooLong { length: usize, most: usize },
    #[error("names that begin with `prefect` are reserved")]
    Reserved,
}

/// Characters that would break paths and markup wherever a name is shown.
const BANNED: [char; 5] = ['/', '%', '&', '>', '<'];

/// The longest name of a variable.
pub const LONGEST_VARIABLE_NAME: usize = 255;

/// Flows, deployments, pools, queues, limits: anything but a few characters.
pub fn check(name: &str) -> Result<(), InvalidName> {
    // A name of quotes and spaces only is as good as none.
    if name.trim_matches(['\'', '"', ' ']).is_empty() {
        Err(InvalidName::Empty)
    } else if name.contains(BANNED) {
        Err(InvalidName::BannedCharacter(name.to_owned()))
    } else {
        Ok(())
    }
}

/// Block documents, block types, artifact keys: lowercase letters, numbers and dashes.
pub fn check_dashes(name: &str) -> Result<(), InvalidName> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.bytes().all(allowed) { Ok(()) } else { Err(InvalidName::NotDashes(name.to_owned())) }
}

/// Variables: lowercase letters, numbers, dashes and underscores, at most 255.
pub fn check_variable(name: &str) -> Result<(), InvalidName> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let length = name.chars().count();
    if length > LONGEST_VARIABLE_NAME {
        Err(InvalidName::TooLong { length, most: LONGEST_VARIABLE_NAME })
    } else if name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(InvalidName::NotDashesOrUnderscores(name.to_owned()))
    }
}

/// Work pools: any name, but not one of the house.
pub fn check_work_pool(name: &str) -> Result<(), InvalidName> {
    check(name)?;
    let head = name.get(..7).unwrap_or_default();
    if head.eq_ignore_ascii_case("prefect") { Err(InvalidName::Reserved) } else { Ok(()) }
}

const ADJECTIVES: &[&str] = &[
    "amber", "ample", "ancient", "arctic", "azure", "bold", "brave", "breezy", "bright", "brisk", "calm", "candid",
    "cheerful", "clever", "coastal", "cosmic", "crimson", "curious", "daring", "dapper", "deft", "eager", "earnest",
    "emerald", "fearless", "fond", "frosty", "gentle", "gilded", "glad", "golden", "graceful", "hardy", "hidden",
    "honest", "humble", "ivory", "jolly", "keen", "kind", "lively", "lucid", "lunar", "mellow", "merry", "mighty",
    "misty", "nimble", "noble", "patient", "placid", "polite", "proud", "quick", "quiet", "radiant", "rapid", "rustic",
    "sage", "sandy", "serene", "sharp", "silver", "sincere", "sleek", "smooth", "snowy", "solar", "spry", "stalwart",
    "steady", "stormy", "subtle", "sunny", "swift", "tidal", "tidy", "tranquil", "upbeat", "valiant", "velvet",
    "vivid", "warm", "wary", "watchful", "witty", "zesty",
];

const CREATURES: &[&str] = &[
    "albatross",
    "alpaca",
    "badger",
    "barnacle",
    "beaver",
    "bison",
    "bittern",
    "buzzard",
    "cormorant",
    "coyote",
    "crab",
    "crane",
    "cricket",
    "curlew",
    "dolphin",
    "dragonfly",
    "egret",
    "eider",
    "falcon",
    "ferret",
    "finch",
    "fox",
    "gannet",
    "gecko",
    "gibbon",
    "grebe",
    "gull",
    "hare",
    "harrier",
    "hedgehog",
    "heron",
    "herring",
    "ibis",
    "jackdaw",
    "kestrel",
    "kingfisher",
    "kite",
    "lark",
    "lemur",
    "limpet",
    "lobster",
    "lynx",
    "magpie",
    "mantis",
    "marlin",
    "marmot",
    "marten",
    "mole",
    "moose",
    "mussel",
    "newt",
    "narwhal",
    "ocelot",
    "octopus",
    "orca",
    "osprey",
    "otter",
    "oyster",
    "partridge",
    "pelican",
    "penguin",
    "petrel",
    "pike",
    "plover",
    "porpoise",
    "puffin",
    "quail",
    "raven",
    "robin",
    "salmon",
    "sandpiper",
    "seahorse",
    "seal",
    "shrimp",
    "skylark",
    "sparrow",
    "squid",
    "starling",
    "stoat",
    "swallow",
    "tapir",
    "teal",
    "tern",
    "toad",
    "trout",
    "turtle",
    "urchin",
    "vole",
    "walrus",
    "warbler",
    "weasel",
    "whale",
    "wombat",
    "wren",
];

/// A name such as `quiet-otter` for a run that was given none. `random` is any number; the same one gives the same name.
pub fn random_run_name(random: u64) -> String {
    let adjective = ADJECTIVES[(random % ADJECTIVES.len() as u64) as usize];
    let creature = CREATURES[(random / ADJECTIVES.len() as u64 % CREATURES.len() as u64) as usize];
    format!("{adjective}-{creature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_by_what_they_name() {
        assert_eq!(check("My flow: v2 (α)"), Ok(()));
        assert_eq!(check(""), Err(InvalidName::Empty));
        assert_eq!(check("' \""), Err(InvalidName::Empty));
        for name in ["a/b", "50%", "a&b", "a>b", "<a"] {
            assert_eq!(check(name), Err(InvalidName::BannedCharacter(name.to_owned())));
        }
        assert_eq!(check_dashes("my-key-1"), Ok(()));
        assert_eq!(check_dashes("my_key"), Err(InvalidName::NotDashes("my_key".to_owned())));
        assert_eq!(check_variable("my_key-1"), Ok(()));
        assert!(check_variable("My").is_err() && check_variable("a b").is_err());
        assert_eq!(check_variable(&"x".repeat(256)), Err(InvalidName::TooLong { length: 256, most: 255 }));
        assert_eq!(check_work_pool("k8s"), Ok(()));
        assert_eq!(check_work_pool("Prefect-agents"), Err(InvalidName::Reserved));
        assert_eq!(check_work_pool("prefects"), Err(InvalidName::Reserved));
    }

    #[test]
    fn a_run_name_is_two_words() {
        for random in [0, 1, 87, 12_345, u64::MAX] {
            let name = random_run_name(random);
            assert_eq!(name.split('-').count(), 2, "{name}");
            assert_eq!(name, random_run_name(random));
        }
    }
}
