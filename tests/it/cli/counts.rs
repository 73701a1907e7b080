//! Histories of any shape, imported in batches of any size, leave the counters equal to a traversal of the trees.

use heddle::{
    app::App,
    auth::token::Keys,
    config::Config,
    domain::{
        import::{self, History, ImportedGroup, ImportedMember, ImportedMessage},
        integrity::{self, Wrong},
        messages::path,
        users::NewUser,
    },
    entity::participant::ParticipantRole,
    id::{ConversationId, MessageId, ParticipantId, UserId},
};
use proptest::{prelude::*, test_runner::TestRunner};

use crate::cli::Machine;

/// For each message, how many messages before it its parent is (0 for a root), and whether a batch ends.
type Shape = [(usize, bool)];

fn verify_counters(app: &App, shape: &Shape, deepest: i32) -> impl Future<Output = ()> {
    let at = app.clock.now();
    let user = UserId::mint();
    let person = NewUser {
        id: user,
        username: format!("u{}", user.0.simple()).chars().take(32).collect(),
        display_name: "Ann".to_owned(),
        email: None,
        password_hash: None,
        at,
    };
    let group = ImportedGroup {
        id: ConversationId::mint(),
        title: "Any".to_owned(),
        topic: None,
        at,
    };
    let member = ImportedMember {
        id: ParticipantId::mint(),
        user,
        role: ParticipantRole::Member,
        read_floor_seq: 0,
    };
    let mut portions = vec![vec![]];
    for (number, (back, ends)) in shape.iter().enumerate() {
        let portion = portions.last_mut().unwrap();
        portion.push(ImportedMessage {
            id: MessageId::mint(),
            sender: user,
            parent: number.checked_sub(*back).filter(|_| *back > 0),
            at,
            body: "x".to_owned(),
            key: None,
        });
        if *ends {
            portions.push(vec![]);
        }
    }
    async move {
        let (person, group) = (&person, &group);
        app.db
            .write(|tx| async move {
                import::users_in(&tx, std::slice::from_ref(person)).await?;
                import::group_in(&tx, group).await?;
                import::members_in(&tx, group.id, &[member], at).await
            })
            .await
            .unwrap();
        let mut history = History::new(group.id, deepest);
        for portion in &portions {
            let before = &history;
            let written = app
                .db
                .write(|tx| async move { before.append_in(&tx, portion).await })
                .await;
            for known in written.unwrap() {
                let steps = known.path.len() / path::STEP;
                assert!(steps <= usize::try_from(deepest).unwrap() + 1);
                history.remember(known);
            }
        }
    }
}

async fn any_history_is_counted_right(machine: Machine) {
    machine.runs(&["migrate", "up"]);
    let config = Config {
        database_url: db_url(&machine),
        ..Config::default()
    };
    let db = machine.db().await;
    let secret = Keys::generate().unwrap();
    let app = App::open(db, config, &secret).await.unwrap();
    let shapes = prop::collection::vec((0..12_usize, prop::bool::weighted(0.1)), 0..80);
    let runtime = tokio::runtime::Handle::current();
    let (shapes, app) = ((shapes, 1..9), &app);
    tokio::task::block_in_place(|| {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(24));
        runner
            .run(&shapes, |(shape, deepest)| {
                runtime.block_on(verify_counters(app, &shape, deepest));
                let wrong = runtime.block_on(integrity::prove(&app.db)).unwrap();
                prop_assert_eq!(wrong, Wrong::default());
                Ok(())
            })
            .unwrap();
    });
    app.shutdown.cancel();
}

fn db_url(machine: &Machine) -> String {
    let sqlite = format!("sqlite:{}", machine.path("data/heddle.sqlite").display());
    machine.database_url.clone().unwrap_or(sqlite)
}

mod any_history_is_counted_right {
    use crate::cli::Machine;

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite() {
        super::any_history_is_counted_right(Machine::sqlite()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        super::any_history_is_counted_right(Machine::postgres().await).await;
    }
}
