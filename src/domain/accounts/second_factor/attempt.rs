//! Limits wrong codes, as wrong passwords are limited, and records them.

use super::{SecondFactor, authenticator, recovery_codes};
use crate::{
    core::Core,
    db::Tx,
    domain::{
        accounts::lockout::{self, LockoutKey},
        audit::{self, AuditAction, AuditRecord},
    },
    error::{Code, Error},
    id::UserId,
    jobs::{self, AccountMail},
};

/// One attempt of a user to prove the second factor.
#[derive(Debug)]
pub(in crate::domain::accounts) struct Attempt {
    user: UserId,
    key: LockoutKey,
}

impl Attempt {
    /// Counts the attempt before the code is verified, so that simultaneous attempts gain nothing.
    pub(in crate::domain::accounts) async fn start(
        core: &Core,
        user: UserId,
    ) -> Result<Self, Error> {
        let key = LockoutKey::second_factor(core, user);
        lockout::count(core, &key).await?;
        Ok(Self { user, key })
    }

    /// Uses a code of this kind in the transaction that acts on it, and resets the count.
    pub(in crate::domain::accounts) async fn confirm_in(
        &self,
        tx: &Tx,
        core: &Core,
        factor: SecondFactor,
        given: &str,
    ) -> Result<(), Error> {
        let is_correct = match factor {
            SecondFactor::Totp => authenticator::use_in(tx, core, self.user, given).await?,
            SecondFactor::RecoveryCode => recovery_codes::use_in(tx, self.user, given).await?,
        };
        if !is_correct {
            return Err(wrong_code());
        }
        if factor == SecondFactor::RecoveryCode {
            report_in(tx, core, self.user, AccountMail::RecoveryCodeUsed).await?;
        }
        lockout::reset_in(tx, &self.key).await
    }

    /// Uses a code of the app or a recovery code, whichever the text is.
    pub(in crate::domain::accounts) async fn confirm_any_in(
        &self,
        tx: &Tx,
        core: &Core,
        given: &str,
    ) -> Result<(), Error> {
        let letters = given.chars().filter(|char| char.is_alphanumeric()).count();
        let factor = match letters {
            ..=8 => SecondFactor::Totp,
            _ => SecondFactor::RecoveryCode,
        };
        self.confirm_in(tx, core, factor, given).await
    }

    /// Records a wrong code, and does not count an attempt that failed for another reason.
    pub(in crate::domain::accounts) async fn finish<T>(
        self,
        core: &Core,
        outcome: Result<T, Error>,
    ) -> Result<T, Error> {
        if let Err(error) = &outcome {
            if error.code() == Code::WrongCredentials {
                let action = AuditAction::UserSecondFactorVerified;
                let record = AuditRecord::own(action, self.user).refused();
                audit::append(core, record).await?;
            } else {
                lockout::take_back(core, &self.key).await?;
            }
        }
        outcome
    }
}

/// Mails a notice to the owner of the account, who may not be the one who acts.
pub(super) async fn report_in(
    tx: &Tx,
    core: &Core,
    user: UserId,
    mail: AccountMail,
) -> Result<(), Error> {
    jobs::enqueue_mail_in(tx, &core.mailer, mail, user, core.clock.now()).await
}

/// The error of a code that is wrong or was used before.
pub(super) fn wrong_code() -> Error {
    let message = "The code is wrong or was used before. Enter the next code of your app.";
    Error::new(Code::WrongCredentials, message)
}
