//! The arguments that say how a webhook checks its requests.

use tidegate_api::Patch;
use tidegate_api::webhooks::Verification;

use crate::commands::values;
use crate::failure::Failure;

/// How requests are checked.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Not at all: whoever knows the address may send
    None,
    /// A signature of the body, as GitHub makes it
    Github,
    /// A signature of time and body, as Stripe makes it
    Stripe,
    /// A bearer token
    Bearer,
    /// User and password
    Basic,
    /// A secret in a header of its own
    Header,
    /// The subject of a certificate, in a header that a proxy sets
    Mtls,
}

#[derive(clap::Args)]
pub struct Arguments {
    /// How requests are checked
    #[arg(long, value_enum, value_name = "HOW")]
    verify: Option<Kind>,
    /// The secret that is shared with the sender: a text, `@file` or `-` for stdin
    #[arg(long, requires = "verify")]
    secret: Option<String>,
    /// Header of the signature, the secret or the subject
    #[arg(long, requires = "verify", value_name = "NAME")]
    header: Option<String>,
    /// How old a signature of Stripe's may be, in seconds
    #[arg(long, requires = "verify", value_name = "SECONDS")]
    tolerance: Option<f64>,
    /// Subject of a certificate that may send; may be repeated
    #[arg(long = "subject", requires = "verify", value_name = "SUBJECT")]
    subjects: Vec<String>,
}

impl Arguments {
    pub fn given(self) -> anyhow::Result<Option<Verification>> {
        let Some(kind) = self.verify else { return Ok(None) };
        let missing = |what: &str| Failure::usage(format!("this way of checking needs `{what}`"));
        let text = self.secret.as_deref().map(values::text_of).transpose()?;
        // A file ends with a line feed that belongs to no secret.
        let secret = || {
            text.as_deref()
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .ok_or_else(|| missing("--secret"))
        };
        let header = || self.header.clone().ok_or_else(|| missing("--header"));
        Ok(Some(match kind {
            Kind::None => return Ok(None),
            Kind::Github => {
                let header = self.header.clone().unwrap_or_else(|| "X-Hub-Signature-256".into());
                Verification::Github { secret: secret()?, header }
            }
            Kind::Stripe => {
                Verification::Stripe { secret: secret()?, tolerance_seconds: self.tolerance.unwrap_or(300.0) }
            }
            Kind::Bearer => Verification::Bearer { secret: secret()? },
            Kind::Basic => Verification::Basic { secret: secret()? },
            Kind::Header => Verification::Header { secret: secret()?, header: header()? },
            Kind::Mtls if self.subjects.is_empty() => return Err(missing("--subject").into()),
            Kind::Mtls => Verification::Mtls { header: header()?, subjects: self.subjects },
        }))
    }

    /// What an update says: nothing, that nothing is checked any more, or how.
    pub fn change(self) -> anyhow::Result<Patch<Verification>> {
        if self.verify.is_none() {
            return Ok(Patch::Keep);
        }
        Ok(self.given()?.map_or(Patch::Clear, Patch::Set))
    }
}

pub fn named(verification: Option<&Verification>) -> &'static str {
    match verification {
        None => "none",
        Some(Verification::Github { .. }) => "github",
        Some(Verification::Stripe { .. }) => "stripe",
        Some(Verification::Bearer { .. }) => "bearer",
        Some(Verification::Basic { .. }) => "basic",
        Some(Verification::Header { .. }) => "header",
        Some(Verification::Mtls { .. }) => "mtls",
    }
}
