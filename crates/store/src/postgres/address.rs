//! Where a PostgreSQL server is and how to speak to it: a URL as libpq or asyncpg's users write it, taken apart once. What
//! belongs to a Python driver alone is left out with a warning; what nobody knows is refused.

use std::path::PathBuf;

use tokio_postgres::{
    Client, Config, Connection, Socket,
    config::SslMode,
    tls::{MakeTlsConnect, TlsConnect},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Files, Trust};
use crate::{Error, Result};

/// What asyncpg and SQLAlchemy take and nobody else needs: these statements are always prepared, and kept.
const PYTHON_ONLY: &[&str] = &[
    "async_fallback",
    "command_timeout",
    "max_cacheable_statement_size",
    "max_cached_statement_lifetime",
    "prepared_statement_cache_size",
    "prepared_statement_name_func",
    "statement_cache_size",
];

/// A server that connections can be made to.
pub(crate) struct Address {
    config: Config,
    tls: MakeRustlsConnect,
}

type Stream = <<MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect as TlsConnect<Socket>>::Stream;

impl Address {
    /// Reads a URL, and the certificates that it names.
    pub(crate) fn of_url(url: &str) -> Result<Self> {
        let parts = Parts::of_url(url)?;
        let refuse = |error: tokio_postgres::Error| {
            Error::Setup(format!("the URL of the database cannot be used: {}", Error::from(error)))
        };
        let mut config: Config = parts.url.parse().map_err(refuse)?;
        config.ssl_mode(parts.mode);
        Ok(Self { config, tls: tls::connector(parts.trust, &parts.files)? })
    }

    pub(crate) async fn connect(&self) -> Result<(Client, Connection<Socket, Stream>), tokio_postgres::Error> {
        self.config.connect(self.tls.clone()).await
    }
}

/// A URL without what concerns TLS, and that.
#[derive(Debug, PartialEq)]
struct Parts {
    url: String,
    mode: SslMode,
    trust: Trust,
    files: Files,
}

impl Parts {
    fn of_url(url: &str) -> Result<Self> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut kept = Vec::new();
        let mut word = None;
        let mut files = Files::default();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let path = || Some(PathBuf::from(decoded(value))).filter(|path| !path.as_os_str().is_empty());
            match name {
                "ssl" | "sslmode" => word = Some(decoded(value)),
                "sslrootcert" => files.roots = path(),
                "sslcert" => files.certificate = path(),
                "sslkey" => files.key = path(),
                "timeout" => kept.push(format!("connect_timeout={value}")),
                name if PYTHON_ONLY.contains(&name) => {
                    tracing::warn!("the database URL's `{name}` is for Python drivers; it is left out here");
                }
                _ => kept.push(parameter.to_owned()),
            }
        }
        let url = if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) };
        let (mode, trust) = reading_of(word.as_deref().unwrap_or("prefer"), files.roots.is_some())?;
        Ok(Self { url, mode, trust, files })
    }
}

/// How libpq reads a mode. As there, a root certificate makes `require` check what it is given.
fn reading_of(mode: &str, has_roots: bool) -> Result<(SslMode, Trust)> {
    match mode {
        "disable" | "false" => Ok((SslMode::Disable, Trust::Anyone)),
        // Both leave the choice to the server; encrypted is tried first.
        "allow" | "prefer" => Ok((SslMode::Prefer, Trust::Anyone)),
        "require" if has_roots => Ok((SslMode::Require, Trust::Authority)),
        "require" => Ok((SslMode::Require, Trust::Anyone)),
        "verify-ca" => Ok((SslMode::Require, Trust::Authority)),
        "verify-full" | "true" => Ok((SslMode::Require, Trust::Host)),
        other => Err(Error::Setup(format!(
            "`{other}` is not a TLS mode of a database URL: use disable, allow, prefer, require, verify-ca or verify-full"
        ))),
    }
}

/// Takes percent signs out of a part of a URL; what is no percent code stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%').then(|| after.get(..2)).flatten();
        match code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_libpq_and_asyncpg_spell_them() {
        for (query, mode, trust) in [
            ("", SslMode::Prefer, Trust::Anyone),
            ("?ssl=disable", SslMode::Disable, Trust::Anyone),
            ("?ssl=require", SslMode::Require, Trust::Anyone),
            ("?sslmode=allow", SslMode::Prefer, Trust::Anyone),
            ("?sslmode=require&sslrootcert=/ca.pem", SslMode::Require, Trust::Authority),
            ("?sslmode=verify-ca", SslMode::Require, Trust::Authority),
            ("?ssl=verify-full", SslMode::Require, Trust::Host),
            ("?ssl=true", SslMode::Require, Trust::Host),
        ] {
            let parts = Parts::of_url(&format!("postgresql://u@h/d{query}")).unwrap();
            assert_eq!((parts.mode, parts.trust), (mode, trust), "{query}");
            assert_eq!(parts.url, "postgresql://u@h/d");
        }
        let error = Parts::of_url("postgresql://u@h/d?ssl=maybe").unwrap_err().to_string();
        assert!(error.starts_with("`maybe` is not a TLS mode"), "{error}");
    }

    #[test]
    fn what_does_not_concern_tls_stays_in_the_url() {
        let url = "postgresql://u:p%40@h:5/d?sslrootcert=%2Fa%20b%2Fca.pem&application_name=x&statement_cache_size=0&timeout=3&sslcert=c&sslkey=k";
        let parts = Parts::of_url(url).unwrap();
        assert_eq!(parts.url, "postgresql://u:p%40@h:5/d?application_name=x&connect_timeout=3");
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(parts.files, Files { roots: path("/a b/ca.pem"), certificate: path("c"), key: path("k") });
    }

    #[test]
    fn an_option_that_nobody_knows_is_refused() {
        let refused = Address::of_url("postgresql://u@h/d?colour=blue").err().unwrap().to_string();
        assert!(refused.contains("colour"), "{refused}");
    }
}
