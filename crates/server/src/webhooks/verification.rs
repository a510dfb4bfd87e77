//! Whether a request comes from where it says. Refusals tell the log what was wrong and the sender nothing. Comparisons
//! take the same time whatever they find.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tidegate_api::webhooks::{HIDDEN_SECRET, Verification};
use tidegate_core::time::Timestamp;

use super::Message;

/// Signatures that a header may carry; while a secret is replaced there are two.
const MOST_SIGNATURES: usize = 8;

/// Checks a message; the error is for the log.
pub fn check(verification: Option<&Verification>, message: &Message, now: Timestamp) -> Result<(), String> {
    let header = |name: &str| message.header(name).ok_or_else(|| format!("the header {name} is missing"));
    match verification {
        None => Ok(()),
        Some(Verification::Github { secret, header: name }) => {
            let given = header(name)?.trim();
            let given = given.strip_prefix("sha256=").unwrap_or(given);
            if is_signed(secret, &[&message.body], given) { Ok(()) } else { Err("the signature does not fit".into()) }
        }
        Some(Verification::Stripe { secret, tolerance_seconds }) => {
            stripe(secret, *tolerance_seconds, header("Stripe-Signature")?, message, now)
        }
        Some(Verification::Bearer { secret }) => {
            same(authorization(header("Authorization")?, "bearer")?.as_bytes(), secret, "the token")
        }
        Some(Verification::Basic { secret }) => {
            let given = authorization(header("Authorization")?, "basic")?;
            let given = BASE64_STANDARD.decode(given).map_err(|_| "the credentials are not base64".to_owned())?;
            same(&given, secret, "user and password")
        }
        Some(Verification::Header { secret, header: name }) => same(header(name)?.as_bytes(), secret, "the header"),
        Some(Verification::Mtls { header: name, subjects }) => {
            if message.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name)).count() > 1 {
                return Err(format!("the header {name} came twice; the proxy must replace what senders put there"));
            }
            let given = header(name)?.trim();
            if subjects.iter().any(|subject| subject == given) {
                Ok(())
            } else {
                Err(format!("the certificate of `{given}` is not one of those that may send"))
            }
        }
    }
}

fn stripe(secret: &str, tolerance: f64, header: &str, message: &Message, now: Timestamp) -> Result<(), String> {
    let fields = || header.split(',').filter_map(|field| field.trim().split_once('='));
    let time = fields().find(|(name, _)| *name == "t").map(|(_, time)| time).ok_or("Stripe-Signature has no time")?;
    let seconds: i64 = time.parse().map_err(|_| "the time in Stripe-Signature is no number".to_owned())?;
    let mut signatures = fields().filter(|(name, _)| *name == "v1").take(MOST_SIGNATURES).peekable();
    signatures.peek().ok_or("Stripe-Signature has no v1 signature")?;
    if !signatures.any(|(_, given)| is_signed(secret, &[time.as_bytes(), b".", &message.body], given)) {
        return Err("the signature does not fit".into());
    }
    let age = now.micros() as f64 / 1e6 - seconds as f64;
    // A request from the future could be sent again until then.
    if age.abs() > tolerance {
        return Err(format!("the signature is {age:.0} seconds old; {tolerance:.0} are allowed"));
    }
    Ok(())
}

/// Whether `given` is the hex HMAC-SHA256 of the parts.
fn is_signed(secret: &str, parts: &[&[u8]], given: &str) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    for part in parts {
        mac.update(part);
    }
    unhex(given).is_some_and(|given| mac.verify_slice(&given).is_ok())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some((digit(pair[0])? * 16 + digit(*pair.get(1)?)?) as u8)).collect()
}

fn authorization<'m>(header: &'m str, scheme: &str) -> Result<&'m str, String> {
    let (given, token) = header.split_once(' ').unwrap_or((header, ""));
    if given.eq_ignore_ascii_case(scheme) {
        Ok(token.trim())
    } else {
        Err(format!("the Authorization is not {scheme}"))
    }
}

fn same(given: &[u8], secret: &str, what: &str) -> Result<(), String> {
    if bool::from(given.ct_eq(secret.as_bytes())) { Ok(()) } else { Err(format!("{what} does not fit")) }
}

/// What is wrong with a way of checking, as its owner gave it.
pub fn validate(verification: &Verification, has_secret: bool) -> Result<(), String> {
    match verification.secret() {
        Some("") => return Err("the verification needs a `secret`".into()),
        Some(HIDDEN_SECRET) if !has_secret => {
            return Err(format!("`{HIDDEN_SECRET}` stands for a secret that is there already; there is none"));
        }
        _ => {}
    }
    let is_header = |name: &str| axum::http::HeaderName::from_bytes(name.as_bytes()).is_ok();
    match verification {
        Verification::Github { header, .. }
        | Verification::Header { header, .. }
        | Verification::Mtls { header, .. }
            if !is_header(header) =>
        {
            Err(format!("`{header}` is no header's name"))
        }
        Verification::Mtls { subjects, .. } if subjects.iter().all(|subject| subject.trim().is_empty()) => {
            Err("`subjects` names no certificate that may send".into())
        }
        Verification::Stripe { tolerance_seconds, .. } if !(1.0..=86_400.0).contains(tolerance_seconds) => {
            Err("`tolerance_seconds` must be between 1 and 86400".into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: &[(&str, &str)], body: &'static str) -> Message {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Message { method: "POST".into(), query: String::new(), headers, body: body.into() }
    }

    fn now() -> Timestamp {
        Timestamp::from_micros(1_614_265_330_000_000).unwrap()
    }

    /// The example of GitHub's own documentation.
    #[test]
    fn githubs_example_fits() {
        let secret = "It's a Secret to Everybody".to_owned();
        let check = |signature: &str| {
            let verification = Verification::Github { secret: secret.clone(), header: "X-Hub-Signature-256".into() };
            super::check(Some(&verification), &message(&[("x-hub-signature-256", signature)], "Hello, World!"), now())
        };
        let right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(check(right), Ok(()));
        for wrong in [&right.replace('7', "8"), "sha256=", "", "sha256=zz", &right[..right.len() - 1]] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn stripes_signatures_are_of_time_and_body_and_grow_old() {
        let secret = "whsec_test".to_owned();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(b"1614265330.{}");
        let hex = mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let check = |header: &str, now: Timestamp| {
            let verification = Verification::Stripe { secret: secret.clone(), tolerance_seconds: 300.0 };
            super::check(Some(&verification), &message(&[("stripe-signature", header)], "{}"), now)
        };
        let header = format!("t=1614265330,v1={},v1={hex},v0=00", hex.replace('a', "b"));
        assert_eq!(check(&header, now()), Ok(()));
        assert_eq!(check(&header, now().plus_seconds(299.0)), Ok(()));
        assert!(check(&header, now().plus_seconds(301.0)).unwrap_err().contains("301 seconds old"));
        assert!(check(&header, now().plus_seconds(-301.0)).is_err());
        assert!(check(&header.replace("t=1614265330", "t=1614265331"), now()).is_err());
        assert!(check(&format!("t=1614265330,v0={hex}"), now()).is_err());
        assert!(check("nonsense", now()).is_err());
    }

    #[test]
    fn tokens_and_certificates_fit_or_do_not() {
        let bearer = Verification::Bearer { secret: "s".into() };
        let basic = Verification::Basic { secret: "a:b".into() };
        let key = Verification::Header { secret: "k".into(), header: "X-Key".into() };
        let mtls = Verification::Mtls { header: "X-Subject".into(), subjects: vec!["CN=a".into()] };
        let subject = [("x-subject", "CN=a"), ("x-subject", "CN=b")];
        for (verification, headers, fits) in [
            (&bearer, &[("authorization", "Bearer s")][..], true),
            (&bearer, &[("authorization", "Bearer t")], false),
            (&bearer, &[("authorization", "Basic s")], false),
            (&bearer, &[], false),
            (&basic, &[("authorization", "Basic YTpi")], true),
            (&basic, &[("authorization", "Basic YTpj")], false),
            (&key, &[("x-key", "k")], true),
            (&key, &[("x-key", "")], false),
            (&mtls, &subject[..1], true),
            (&mtls, &subject[1..], false),
            (&mtls, &subject[..], false),
        ] {
            assert_eq!(
                check(Some(verification), &message(headers, ""), now()).is_ok(),
                fits,
                "{verification:?} {headers:?}"
            );
        }
    }
}
