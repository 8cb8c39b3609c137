//! The certificates of a mesh: a trust anchor, and an issuer signed by it.
//!
//! Keys are ECDSA P-256, which Linkerd requires
//! (<https://linkerd.io/2/tasks/generate-certificates/>).

use jiff::{ToSpan, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

use crate::{
    engine::run::{context::Context, dispatcher::Emitter, error::EngineError},
    event::{EventKind, Failure},
    spec::tool::{Certificate, CertificateFile, Certificates},
    state::files,
};

/// Makes the certificates, replacing existing ones, and emits their last days of validity.
pub fn make(
    context: &Context,
    wanted: &Certificates,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let today = jiff::Timestamp::now().to_zoned(TimeZone::UTC).date();
    let made = Made::new(wanted, today).map_err(|error| {
        let failure = Failure::by("failed to make the certificates", &error);
        EngineError::Step(Box::new(failure))
    })?;
    for file in CertificateFile::ALL {
        let path = file.path_in(&context.environment.dir);
        if let Some(dir) = path.parent() {
            files::create_dir(dir)?;
        }
        files::write(&path, made.pem(file).as_bytes())?;
    }
    for (what, certificate) in [
        ("trust anchor", &wanted.trust_anchor),
        ("issuer", &wanted.issuer),
    ] {
        let text = format!(
            "{what} {}: valid until {}",
            certificate.name,
            last_day(certificate, today)
        );
        emitter.emit(EventKind::Notice { text });
    }
    Ok(())
}

/// Returns the last day of validity of `certificate`, if it is made `today`.
fn last_day(certificate: &Certificate, today: Date) -> Date {
    today.saturating_add(i64::from(certificate.days).days())
}

/// New certificates and their keys, as PEM.
struct Made {
    anchor: String,
    anchor_key: String,
    issuer: String,
    issuer_key: String,
}

impl Made {
    fn new(wanted: &Certificates, today: Date) -> Result<Self, rcgen::Error> {
        let anchor_key = KeyPair::generate()?;
        let anchor_pem = anchor_key.serialize_pem();
        let params = params(&wanted.trust_anchor, today, BasicConstraints::Unconstrained)?;
        let anchor = CertifiedIssuer::self_signed(params, anchor_key)?;
        let issuer_key = KeyPair::generate()?;
        // The issuer signs workloads, and no further issuers.
        let params = self::params(&wanted.issuer, today, BasicConstraints::Constrained(0))?;
        let issuer = params.signed_by(&issuer_key, &anchor)?;
        Ok(Self {
            anchor: anchor.pem(),
            anchor_key: anchor_pem,
            issuer: issuer.pem(),
            issuer_key: issuer_key.serialize_pem(),
        })
    }

    fn pem(&self, file: CertificateFile) -> &str {
        match file {
            CertificateFile::TrustAnchor => &self.anchor,
            CertificateFile::TrustAnchorKey => &self.anchor_key,
            CertificateFile::Issuer => &self.issuer,
            CertificateFile::IssuerKey => &self.issuer_key,
        }
    }
}

fn params(
    of: &Certificate,
    today: Date,
    constraints: BasicConstraints,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new([of.name.clone()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, of.name.as_str());
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let begin_of = |day: Date| {
        let (month, of_month) = (day.month().unsigned_abs(), day.day().unsigned_abs());
        rcgen::date_time_ymd(day.year().into(), month, of_month)
    };
    // Begin a day earlier: the clock of a node, or of a virtual machine below it, may be behind.
    params.not_before = begin_of(today.saturating_sub(1.day()));
    params.not_after = begin_of(last_day(of, today));
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Certificates {
        let named = |name: &str, days| Certificate {
            name: name.to_owned(),
            days,
        };
        Certificates {
            trust_anchor: named("root.linkerd.cluster.local", 3650),
            issuer: named("identity.linkerd.cluster.local", 365),
        }
    }

    #[test]
    fn each_is_a_key_and_a_certificate_of_its_own() {
        let made = Made::new(&wanted(), jiff::civil::date(2026, 11, 21)).unwrap();
        let all = CertificateFile::ALL.map(|file| made.pem(file));
        for (file, pem) in CertificateFile::ALL.iter().zip(all) {
            let kind = if file.is_key() {
                "PRIVATE KEY"
            } else {
                "CERTIFICATE"
            };
            assert!(
                pem.starts_with(&format!("-----BEGIN {kind}-----")),
                "{file:?}"
            );
        }
        assert_eq!(std::collections::BTreeSet::from(all).len(), 4);
    }

    #[test]
    fn a_certificate_ends_after_its_days() {
        let issuer = wanted().issuer;
        let last = last_day(&issuer, jiff::civil::date(2027, 12, 31));
        assert_eq!(last.to_string(), "2028-12-30");
    }
}
