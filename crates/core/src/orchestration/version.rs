//! Versions of clients and of the API, as far as rules switch on them. Pre-release marks are not looked at.

use serde::{Deserialize, Serialize};

/// A client's or an API's version, `major.minor.patch`; what follows the patch is ignored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// From here on pauses exist, and with them their bookkeeping on the run.
    pub const API_WITH_PAUSES: Self = Self(0, 8, 4);
    /// From here on a client renews the lease of its deployment's slot.
    pub const CLIENT_RENEWS_LEASES: Self = Self(3, 4, 11);
    /// Up to here, from 3.0.0, the worker itself takes and gives back its deployment's slot.
    pub const LAST_CLIENT_WITH_OWN_SLOTS: Self = Self(3, 0, 3);

    /// Reads `1.2.3` and what begins so: `3.4.11.dev2`, `3.0.0rc20`, `3.8`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = [0; 3];
        let mut rest = text.trim();
        for (index, number) in numbers.iter_mut().enumerate() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if digits == 0 {
                return (index > 0).then_some(Self(numbers[0], numbers[1], numbers[2]));
            }
            *number = rest[..digits].parse().ok()?;
            match rest[digits..].strip_prefix('.') {
                Some(after) => rest = after,
                None => break,
            }
        }
        Some(Self(numbers[0], numbers[1], numbers[2]))
    }

    /// The client's version out of `User-Agent: prefect/<version> (API …)`; `None` for other clients.
    pub fn of_user_agent(user_agent: &str) -> Option<Self> {
        let version = user_agent.strip_prefix("prefect/")?;
        Self::parse(version.split_whitespace().next()?)
    }

    /// An API version header: exactly three numbers.
    pub fn of_api_header(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.trim().parse().ok());
        let version = Self(numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_are_read_from_what_clients_send() {
        for (text, expected) in [
            ("3.8.8", Some(Version(3, 8, 8))),
            ("3.4.11.dev2", Some(Version(3, 4, 11))),
            ("3.0.0rc20", Some(Version(3, 0, 0))),
            ("3.8", Some(Version(3, 8, 0))),
            ("3", Some(Version(3, 0, 0))),
            ("", None),
            ("unknown", None),
            ("99999999999.1.1", None),
        ] {
            assert_eq!(Version::parse(text), expected, "{text}");
        }
        assert_eq!(Version::of_user_agent("prefect/3.8.8 (API 0.8.4)"), Some(Version(3, 8, 8)));
        assert_eq!(Version::of_user_agent("prefect/"), None);
        assert_eq!(Version::of_user_agent("curl/8.0"), None);
        assert_eq!(Version::of_api_header("0.8.4"), Some(Version(0, 8, 4)));
        for wrong in ["0.8", "0.8.4.1", "a.b.c", "", "0.8.4-beta"] {
            assert_eq!(Version::of_api_header(wrong), None, "{wrong}");
        }
    }
}
