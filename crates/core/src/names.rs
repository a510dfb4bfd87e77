//! Names that Tidegate makes up, and names that it accepts.

const ADJECTIVES: &[&str] = &[
    "amber", "ample", "ancient", "arctic", "azure", "bold", "brave", "breezy", "bright", "brisk", "calm", "candid", "cheerful",
    "clever", "coastal", "cosmic", "crimson", "curious", "daring", "dapper", "deft", "eager", "earnest", "emerald", "fearless",
    "fond", "frosty", "gentle", "gilded", "glad", "golden", "graceful", "hardy", "hidden", "honest", "humble", "ivory", "jolly",
    "keen", "kind", "lively", "lucid", "lunar", "mellow", "merry", "mighty", "misty", "nimble", "noble", "patient", "placid",
    "polite", "proud", "quick", "quiet", "radiant", "rapid", "rustic", "sage", "sandy", "serene", "sharp", "silver", "sincere",
    "sleek", "smooth", "snowy", "solar", "spry", "stalwart", "steady", "stormy", "subtle", "sunny", "swift", "tidal", "tidy",
    "tranquil", "upbeat", "valiant", "velvet", "vivid", "warm", "wary", "watchful", "witty", "zesty",
];

const CREATURES: &[&str] = &[
    "albatross", "alpaca", "badger", "barnacle", "beaver", "bison", "bittern", "buzzard", "cormorant", "coyote", "crab", "crane",
    "cricket", "curlew", "dolphin", "dragonfly", "egret", "eider", "falcon", "ferret", "finch", "fox", "gannet", "gecko", "gibbon",
    "grebe", "gull", "hare", "harrier", "hedgehog", "heron", "herring", "ibis", "jackdaw", "kestrel", "kingfisher", "kite", "lark",
    "lemur", "limpet", "lobster", "lynx", "magpie", "mantis", "marlin", "marmot", "marten", "mole", "moose", "mussel", "newt",
    "narwhal", "ocelot", "octopus", "orca", "osprey", "otter", "oyster", "partridge", "pelican", "penguin", "petrel", "pike",
    "plover", "porpoise", "puffin", "quail", "raven", "robin", "salmon", "sandpiper", "seahorse", "seal", "shrimp", "skylark",
    "sparrow", "squid", "starling", "stoat", "swallow", "tapir", "teal", "tern", "toad", "trout", "turtle", "urchin", "vole",
    "walrus", "warbler", "weasel", "whale", "wombat", "wren",
];

/// A name such as `quiet-otter` for a run that was given none. `random` is any number; the same one gives the same name.
pub fn random_run_name(random: u64) -> String {
    let adjective = ADJECTIVES[(random % ADJECTIVES.len() as u64) as usize];
    let creature = CREATURES[(random / ADJECTIVES.len() as u64 % CREATURES.len() as u64) as usize];
    format!("{adjective}-{creature}")
}

#[cfg(test)]
mod tests {
    use super::random_run_name;

    #[test]
    fn a_run_name_is_two_words() {
        for random in [0, 1, 87, 12_345, u64::MAX] {
            let name = random_run_name(random);
            assert_eq!(name.split('-').count(), 2, "{name}");
            assert_eq!(name, random_run_name(random));
        }
    }
}
