//! Who may speak for a cluster, and who is who in it.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

/// When a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    /// Before these tests were written, and long after them.
    Now,
    /// Not any more.
    Expired,
    /// Not yet.
    Future,
}

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A cluster's authority: it signs the certificate of the server, and those of its users.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one, which nobody trusts yet.
    pub(crate) fn new() -> Self {
        let mut params = params("kubernetes", None, Validity::Now);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Self(CertifiedIssuer::self_signed(params, key()).expect("parameters of ours"))
    }

    /// Its certificate, as PEM.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server on loopback.
    pub(crate) fn server(&self) -> Signed {
        let mut params = params("kube-apiserver", None, Validity::Now);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = vec![
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::DnsName("localhost".try_into().expect("ASCII")),
            SanType::DnsName("kubernetes.default.svc".try_into().expect("ASCII")),
        ];
        self.sign(&params)
    }

    /// A certificate for a user, who is in a group if one is given.
    pub(crate) fn client(&self, user: &str, group: Option<&str>, validity: Validity) -> Signed {
        let mut params = params(user, group, validity);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Signed {
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("parameters of ours");
        Signed { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A new key.
pub(crate) fn key() -> KeyPair {
    KeyPair::generate().expect("random numbers")
}

fn params(name: &str, group: Option<&str>, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    let (from, to) = match validity {
        Validity::Now => (2020, 2120),
        Validity::Expired => (2020, 2021),
        Validity::Future => (2119, 2120),
    };
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    params
}
