//! TLS to targets: whom we trust, and how we show who we are.

use crate::scrape::job::{Secret, Tls, TlsVersion};
use hyper_rustls::ConfigBuilderExt;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
    client::{
        WantsClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    version::{TLS12, TLS13},
};
use std::sync::Arc;

/// What was made of settings, so that jobs with the same share it: the system's certificates are read once.
#[derive(Default)]
pub(in crate::scrape) struct Configs {
    made: Vec<(Tls, ClientConfig)>,
}

type Made<T> = Result<T, String>;

impl Configs {
    /// The configuration for `tls`, whose files `read` reads.
    pub(super) fn get(
        &mut self,
        tls: &Tls,
        read: impl Fn(&Secret) -> Made<Vec<u8>>,
    ) -> Made<ClientConfig> {
        if let Some((_, known)) = self.made.iter().find(|(known, _)| known == tls) {
            return Ok(known.clone());
        }
        let config = make(tls, &read)?;
        self.made.push((tls.clone(), config.clone()));
        Ok(config)
    }
}

fn make(tls: &Tls, read: &impl Fn(&Secret) -> Made<Vec<u8>>) -> Made<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(tls))
        .map_err(|error| error.to_string())?;
    let trusting = if tls.insecure_skip_verify {
        let anybody = Arc::new(Anybody { provider });
        builder
            .dangerous()
            .with_custom_certificate_verifier(anybody)
    } else if let Some(ca) = &tls.ca {
        builder.with_root_certificates(roots(&read(ca)?)?)
    } else {
        match builder.clone().with_native_roots() {
            Ok(trusting) => trusting,
            // A machine without certificates can still scrape over HTTP; over TLS it trusts nobody.
            Err(error) => {
                tracing::debug!(%error, "no certificates of the system");
                builder.with_root_certificates(RootCertStore::empty())
            }
        }
    };
    with_our_own(trusting, tls, read)
}

fn with_our_own(
    trusting: rustls::ConfigBuilder<ClientConfig, WantsClientCert>,
    tls: &Tls,
    read: &impl Fn(&Secret) -> Made<Vec<u8>>,
) -> Made<ClientConfig> {
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else {
        return Ok(trusting.with_no_client_auth());
    };
    let chain = certificates(&read(certificate)?)?;
    let key = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|error| format!("the key is not readable: {error}"))?;
    trusting
        .with_client_auth_cert(chain, key)
        .map_err(|error| format!("the certificate and its key: {error}"))
}

fn versions(tls: &Tls) -> Vec<&'static SupportedProtocolVersion> {
    let all = [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)];
    let spoken = all.into_iter().filter(|(version, _)| {
        tls.oldest.is_none_or(|oldest| *version >= oldest)
            && tls.newest.is_none_or(|newest| *version <= newest)
    });
    spoken.map(|(_, version)| version).collect()
}

fn certificates(pem: &[u8]) -> Made<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(read) if read.is_empty() => Err("there is no certificate in PEM".to_string()),
        Ok(read) => Ok(read),
        Err(error) => Err(format!("a certificate is not readable: {error}")),
    }
}

fn roots(pem: &[u8]) -> Made<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots
            .add(certificate)
            .map_err(|error| format!("a certificate of the CA: {error}"))?;
    }
    Ok(roots)
}

/// Takes every certificate, as `insecure_skip_verify` says; the handshake must still be signed by its key.
#[derive(Debug)]
struct Anybody {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
