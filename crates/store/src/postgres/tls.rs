//! TLS to PostgreSQL: whose certificates are believed, and the client's own. Never falls back to believing more than was
//! asked for.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Error, Result};

/// Whom we take for the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Whoever answers: encrypted, and no more than that.
    Anyone,
    /// Whoever shows a certificate of an authority that we know.
    Authority,
    /// As `Authority`, and the certificate names the host.
    Host,
}

/// Files in PEM form.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Files {
    /// Authorities; the system's when there is none.
    pub(super) roots: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

pub(super) fn connector(trust: Trust, files: &Files) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Setup(format!("TLS cannot be set up: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier(trust, files, &provider)?));
    let config = match (&files.certificate, &files.key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("key", key, error))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, key)
                .map_err(|error| unreadable("certificate", certificate, error))?
        }
        _ => return Err(Error::Setup("a client certificate and its key (`sslcert`, `sslkey`) go together".into())),
    };
    Ok(MakeRustlsConnect::new(config))
}

fn unreadable(what: &str, path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Setup(format!("the {what} `{}` for the database cannot be used: {error}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let refuse = |error| unreadable("certificate", path, error);
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(refuse)?.collect::<Result<_, _>>().map_err(refuse)?;
    if certificates.is_empty() {
        return Err(unreadable("certificate", path, "there is none in the file"));
    }
    Ok(certificates)
}

fn verifier(trust: Trust, files: &Files, provider: &Arc<CryptoProvider>) -> Result<Verifier> {
    let chain = match trust {
        Trust::Anyone => None,
        Trust::Authority | Trust::Host => {
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(files)?), provider.clone());
            Some(verifier.build().map_err(|error| Error::Setup(format!("no authority to trust: {error}")))?)
        }
    };
    Ok(Verifier { chain, checks_host: trust == Trust::Host, provider: provider.clone() })
}

fn roots(files: &Files) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // `system` is libpq's word for what is the default here.
    match files.roots.as_deref().filter(|path| *path != Path::new("system")) {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| unreadable("root certificate", path, error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

/// Checks what `Trust` asks for. That the server has the key to its certificate is checked always.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    checks_host: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(certificate, intermediates, host, ocsp, now) {
            // The name is the last thing to be looked at: all else was right.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.checks_host => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
