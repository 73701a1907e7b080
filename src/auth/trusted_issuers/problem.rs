//! Why a token of another system is refused.

use std::fmt;

/// Why a token is refused. Shown to the operator only: what it reveals could help an attacker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenProblem {
    /// It is not a signed JSON Web Token.
    Malformed,
    /// No trusted issuer has this name.
    UnknownIssuer(String),
    /// The issuer has no key with this id.
    UnknownKey(Option<String>),
    /// The keys of the issuer could not be loaded.
    NoKeys(String),
    /// The header has a parameter that may not be ignored, or that could replace the key.
    Header(&'static str),
    /// It is not signed with the algorithm of the key.
    Algorithm,
    /// The signature, the audience or a type of a claim is wrong.
    Invalid(String),
    /// A required claim is missing or is not of the expected type.
    Claim(String),
    /// It is valid only from a later time.
    NotYetValid,
    /// It has expired.
    Expired,
    /// It lives longer than an hour.
    TooLong,
}

impl fmt::Display for TokenProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "the token is not a signed JSON Web Token"),
            Self::UnknownIssuer(name) => write!(f, "no trusted issuer is named {name:?}"),
            Self::UnknownKey(Some(id)) => write!(f, "the issuer has no key with the id {id:?}"),
            Self::UnknownKey(None) => {
                write!(
                    f,
                    "the token has no key id, and the issuer has several keys"
                )
            }
            Self::NoKeys(reason) => {
                write!(f, "the keys of the issuer could not be loaded: {reason}")
            }
            Self::Header(name) => write!(f, "the header has the parameter {name:?}"),
            Self::Algorithm => write!(f, "the token is not signed with the algorithm of its key"),
            Self::Invalid(reason) => write!(f, "the token is invalid: {reason}"),
            Self::Claim(name) => write!(f, "the claim {name:?} is missing or has a wrong type"),
            Self::NotYetValid => write!(f, "the token is valid only from a later time"),
            Self::Expired => write!(f, "the token has expired"),
            Self::TooLong => write!(f, "the token lives longer than an hour"),
        }
    }
}
