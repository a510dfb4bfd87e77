//! The one table of settings: each key, its type, default, names in the environment and what it is for.
//! The parser, `tidegate config view` and `docs/settings.md` are made from it. It refuses to read anything itself.

pub mod accepted;
pub mod client;
pub mod database;
pub mod kubernetes;
pub mod server;
pub mod services;
pub mod worker;

use std::sync::LazyLock;

/// How the text of a setting is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true`, `1`, `yes`, `on` … or their opposites.
    Flag,
    Integer,
    Number,
    /// A length of time: seconds, or any form that the reference accepts (`P1D`, `1 day`, `00:05:00`).
    Seconds,
    Text,
    /// Text that is shown as `********`.
    Secret,
    Path,
    /// Comma-separated.
    List,
    /// A JSON object of strings.
    Map,
    /// `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`, in any case.
    Level,
    /// Not read by this binary, so not checked either.
    Anything,
}

impl Kind {
    pub fn describe(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Seconds => "duration",
            Self::Text => "text",
            Self::Secret => "secret",
            Self::Path => "path",
            Self::List => "list",
            Self::Map => "JSON object",
            Self::Level => "log level",
            Self::Anything => "any",
        }
    }
}

/// What a setting is when no source names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    Unset,
    Is(&'static str),
    /// Follows from other settings; the text describes how.
    Derived(&'static str),
}

/// Who acts on a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Client,
    Server,
    Worker,
    /// The Python SDK, in the process of a flow run: the worker passes it on.
    Sdk,
    /// Nobody here: it tunes a part of the reference that Tidegate does not have.
    Nobody,
}

impl Reader {
    /// Whether this binary acts on the setting; the others are accepted and passed on.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Client | Self::Server | Self::Worker)
    }
}

/// Which families of environment variables name a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `TIDEGATE_<KEY>` and `PREFECT_<KEY>`.
    Both,
    /// `TIDEGATE_<KEY>` only: the reference has no such setting.
    Own,
}

#[derive(Debug)]
pub struct Setting {
    /// Dotted path, as in `tidegate.toml`: `server.api.port`.
    pub key: &'static str,
    pub kind: Kind,
    pub fallback: Fallback,
    pub reader: Reader,
    pub family: Family,
    /// Further names that the reference accepts, in full.
    pub aliases: &'static [&'static str],
    pub doc: &'static str,
}

impl Setting {
    fn upper(&self) -> String {
        self.key.replace('.', "_").to_uppercase()
    }

    pub fn tidegate_name(&self) -> String {
        format!("TIDEGATE_{}", self.upper())
    }

    /// The name that the reference gives to this setting, if it has it.
    pub fn prefect_name(&self) -> Option<String> {
        match self.family {
            Family::Both => Some(format!("PREFECT_{}", self.upper())),
            Family::Own => self.aliases.first().map(ToString::to_string),
        }
    }

    /// All names, the one that wins first.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![self.tidegate_name()];
        if self.family == Family::Both {
            names.push(format!("PREFECT_{}", self.upper()));
        }
        names.extend(self.aliases.iter().map(ToString::to_string));
        names
    }

    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }
}

/// Declares settings: `/// doc` then `NAME = Kind "key" fallback, Reader [, also "ALIAS" …];`.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident = $kind:ident $key:literal $fallback:expr, $reader:ident $family:ident
       $(also $($alias:literal)+)?;)*) => {
        $($(#[doc = $doc])+
        pub static $name: $crate::settings::table::Setting = $crate::settings::table::Setting {
            key: $key,
            kind: $crate::settings::table::Kind::$kind,
            fallback: $fallback,
            reader: $crate::settings::table::Reader::$reader,
            family: $crate::settings::table::Family::$family,
            aliases: &[$($($alias),+)?],
            doc: concat!($($doc),+),
        };)*
        pub static ALL: &[&$crate::settings::table::Setting] = &[$(&$name),*];
    };
}
pub(crate) use settings;

/// Every setting, grouped as in the documentation.
pub static GROUPS: &[(&str, &[&Setting])] = &[
    ("Clients, commands and profiles", client::ALL),
    ("Server", server::ALL),
    ("Database", database::ALL),
    ("Services, events and limits", services::ALL),
    ("Workers", worker::ALL),
    ("Kubernetes workers", kubernetes::ALL),
    ("Read by the Python SDK", accepted::sdk::ALL),
    ("Accepted without effect", accepted::nobody::ALL),
];

static BY_NAME: LazyLock<std::collections::HashMap<String, &'static Setting>> =
    LazyLock::new(|| all().flat_map(|setting| setting.names().into_iter().map(move |name| (name, setting))).collect());

pub fn all() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|(_, settings)| settings.iter().copied())
}

/// Finds a setting by any of its names: `TIDEGATE_API_URL`, `PREFECT_API_URL`, `api.url`.
pub fn find(name: &str) -> Option<&'static Setting> {
    let upper = name.to_uppercase();
    BY_NAME.get(&upper).copied().or_else(|| {
        let key = name.to_lowercase();
        all().find(|setting| setting.key == key)
    })
}
