//! What is wrong with values or add-ons, so that nothing can be foretold from them.

use crate::model::cluster::Version;

/// One thing that is wrong with the platform's values or with a tenant's add-ons.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformProblem {
    /// The version is older than any that is supported.
    #[error("cozystack {0} is not supported: v1.4.0 is the first version with `publishing.proxyProtocol`")]
    UnsupportedVersion(Version),
    /// The variant does not exist.
    #[error("`{}` is not a variant of the platform", .found.escape_debug())]
    UnknownVariant {
        /// Where it was read, if it was in the values.
        key: &'static str,
        /// What was read.
        found: String,
        /// The variant that it looks like.
        similar: Option<&'static str>,
    },
    /// A value has a type that the platform's chart cannot work with.
    #[error("`{key}` is {found}; the platform needs {wanted} there")]
    WrongType {
        /// The path of the key.
        key: String,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value is none of those that the platform knows.
    #[error("`{key}` is `{}`", .found.escape_debug())]
    UnknownValue {
        /// The path of the key.
        key: String,
        /// What it is.
        found: String,
        /// What it may be, for people.
        allowed: &'static str,
    },
}

impl PlatformProblem {
    /// The path of the key, below the values or below the tenant's `spec`; empty when no key is to blame.
    pub fn key(&self) -> &str {
        match self {
            Self::UnsupportedVersion(_) => "",
            Self::UnknownVariant { key, .. } => key,
            Self::WrongType { key, .. } | Self::UnknownValue { key, .. } => key,
        }
    }

    /// What to write instead, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownVariant { similar: Some(similar), .. } => Some(format!("did you mean `{similar}`?")),
            Self::UnknownVariant { similar: None, .. } => {
                Some("one of default, isp-full, isp-full-generic, isp-hosted".to_owned())
            }
            Self::UnknownValue { allowed, .. } => Some(format!("one of {allowed}")),
            Self::WrongType { key, found: "null", .. } => {
                Some(format!("leave `{key}` out: a null deletes the platform's default instead of keeping it"))
            }
            Self::UnsupportedVersion(_) | Self::WrongType { .. } => None,
        }
    }
}
