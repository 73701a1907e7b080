//! Updates the viewer's profile and settings.

use std::sync::Arc;

use sea_orm::{ActiveModelTrait, Set};

use super::{
    register::{find_taken, taken_error},
    validation,
};
use crate::{
    auth::action_limits::Action,
    core::Core,
    db::Tx,
    domain::{participants, presence, sessions::Viewer, users},
    entity::{
        participant::NotificationLevel,
        user::{self, Visibility},
    },
    error::{Error, Problem},
    id::UserId,
    live::log::{self, Change, Stream},
};

/// New values of the fields of a profile. A missing value keeps the field, and `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct ProfileChanges {
    /// The unique username; cannot be cleared.
    pub username: Option<Option<String>>,
    /// The name to show; cannot be cleared.
    pub display_name: Option<Option<String>>,
    /// The given name.
    pub first_name: Option<Option<String>>,
    /// The family name.
    pub last_name: Option<Option<String>>,
    /// The telephone number in E.164 form.
    pub phone_number: Option<Option<String>>,
    /// A short text about the user.
    pub bio: Option<Option<String>>,
}

/// Updates the viewer's profile.
pub async fn update_profile(
    core: &Core,
    viewer: &Viewer,
    changes: ProfileChanges,
) -> Result<(), Error> {
    core.action_limits
        .consume(viewer.user.0, Action::ChangeProfile)
        .await?;
    let mut problems = vec![];
    let mut row = <user::ActiveModel as Default>::default();
    for (field, edit) in [
        ("username", &changes.username),
        ("displayName", &changes.display_name),
    ] {
        let message = "This field is required. Enter a value.";
        problems.extend(Problem::unless(
            *edit != Some(None),
            field,
            "REQUIRED",
            message,
        ));
    }
    if let Some(username) = changes.username.flatten() {
        let username = validation::username(&username, &mut problems);
        let own = users::own(core, viewer).await?;
        if users::key(&username) != own.username_key {
            problems.extend(find_taken(core, &username).await?);
        }
        row.username_key = Set(users::key(&username));
        row.username = Set(username);
    }
    if let Some(name) = changes.display_name.flatten() {
        let name = validation::display_name(&name, &mut problems);
        row.display_name_key = Set(users::key(&name));
        row.display_name = Set(name);
    }
    let problems_of = &mut problems;
    if let Some(name) = changes.first_name {
        row.first_name =
            Set(name.and_then(|name| validation::name("firstName", &name, problems_of)));
    }
    if let Some(name) = changes.last_name {
        row.last_name = Set(name.and_then(|name| validation::name("lastName", &name, problems_of)));
    }
    if let Some(number) = changes.phone_number {
        row.phone_number =
            Set(number.and_then(|text| validation::phone_number(&text, problems_of)));
    }
    if let Some(bio) = changes.bio {
        row.bio = Set(bio.and_then(|text| validation::bio(&text, problems_of)));
    }
    Error::check(problems)?;
    save(core, viewer, row).await
}

/// New values of the viewer's settings. A missing value keeps the setting.
#[derive(Clone, Debug, Default)]
pub struct PreferenceChanges {
    /// The interface language as a BCP 47 tag.
    pub locale: Option<String>,
    /// The IANA time zone name.
    pub time_zone: Option<String>,
    /// The notification level of new conversations.
    pub notification_level: Option<NotificationLevel>,
    /// Whether others see how far the viewer has read.
    pub shares_read_receipts: Option<bool>,
    /// Whether others see whether the viewer is online.
    pub shares_presence: Option<bool>,
    /// Whether user search finds the viewer.
    pub is_searchable: Option<bool>,
    /// Who sees the names and the bio.
    pub profile_visibility: Option<Visibility>,
    /// Who sees the telephone number.
    pub phone_visibility: Option<Visibility>,
}

/// Updates the viewer's settings.
pub async fn update_preferences(
    core: &Core,
    viewer: &Viewer,
    changes: PreferenceChanges,
) -> Result<(), Error> {
    let mut problems = vec![];
    let mut row = <user::ActiveModel as Default>::default();
    if let Some(locale) = changes.locale {
        row.locale = Set(validation::locale(&locale, &mut problems));
    }
    if let Some(zone) = changes.time_zone {
        row.time_zone = Set(validation::time_zone(&zone, &mut problems));
    }
    if let Some(level) = changes.notification_level {
        row.notification_level = Set(level);
    }
    if let Some(is_shared) = changes.shares_read_receipts {
        row.shares_read_receipts = Set(is_shared);
    }
    if let Some(is_searchable) = changes.is_searchable {
        row.is_searchable = Set(is_searchable);
    }
    if let Some(visibility) = changes.profile_visibility {
        row.profile_visibility = Set(visibility);
    }
    if let Some(visibility) = changes.phone_visibility {
        row.phone_visibility = Set(visibility);
    }
    Error::check(problems)?;
    if let Some(is_shared) = changes.shares_presence {
        let row = &row;
        let work = |tx: Arc<Tx>| async move {
            presence::share_in(&tx, viewer, is_shared, core.clock.now()).await?;
            save_in(&tx, core, viewer.user, row.clone()).await
        };
        return core.db.write(work).await;
    }
    save(core, viewer, row).await
}

/// The columns that decide what others see of a profile. Who sees it is one of them; the other settings are private.
const PROFILE: [user::Column; 8] = [
    user::Column::Username,
    user::Column::DisplayName,
    user::Column::FirstName,
    user::Column::LastName,
    user::Column::PhoneNumber,
    user::Column::Bio,
    user::Column::ProfileVisibility,
    user::Column::PhoneVisibility,
];

/// Updates the row and appends an event, if any column is set.
async fn save(core: &Core, viewer: &Viewer, row: user::ActiveModel) -> Result<(), Error> {
    if !row.is_changed() {
        return Ok(());
    }
    let row = &row;
    core.db
        .write(|tx| async move { save_in(&tx, core, viewer.user, row.clone()).await })
        .await
}

/// Updates the row and appends an event.
pub(super) async fn save_in(
    tx: &Tx,
    core: &Core,
    user: UserId,
    mut row: user::ActiveModel,
) -> Result<(), Error> {
    let at = core.clock.now();
    row.id = Set(user);
    if PROFILE.iter().any(|&column| row.get(column).is_set()) {
        row.updated_at = Set(at);
    }
    let is_renamed = row.display_name_key.is_set();
    let user = row.update(tx).await.map_err(taken_error)?;
    if is_renamed {
        Box::pin(participants::renamed_in(
            tx,
            user.id,
            &user.display_name_key,
            at,
        ))
        .await?;
    }
    let change = Change::UserChanged { user: user.id };
    log::append(tx, Stream::User(user.id), at, &[change]).await
}
