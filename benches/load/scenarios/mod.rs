//! The scenarios: a timeline, a thread, the inbox, a sent message and an empty query, in rounds, each followed by its
//! floor; then a client that resumes after it missed many messages.

mod resume;
mod round;
mod target;

pub(crate) use round::run as run_round;
pub(crate) use target::Target;

use crate::{
    databases::Postgres, pgbench::Pgbench, report::Report, scale::Scale, server::Installation,
};

pub(crate) async fn measure(scale: &Scale, report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let installation = Installation::on_sqlite(folder.path(), "SQLite");
    let floor = ["floor-sqlite", installation.file()];
    let sqlite = Target::prepare(scale, &installation, &floor, report).await;
    let postgres = Postgres::start();
    let installation = Installation::on_postgres(folder.path(), "PostgreSQL", &postgres);
    let floor = ["floor-postgres", &postgres.url];
    let postgresql = Target::prepare(scale, &installation, &floor, report).await;
    let pgbench = Pgbench::prepare(&postgres, folder.path()).await;
    if pgbench.is_none() {
        report.remark("pgbench is not installed: its floor was not measured");
    }
    for number in 1..=scale.rounds {
        eprintln!("round {number} of {}", scale.rounds);
        for target in [&sqlite, &postgresql] {
            run_round(target, scale, report).await;
        }
        if let Some(pgbench) = &pgbench {
            pgbench.round(scale, report);
        }
    }
    for target in [&sqlite, &postgresql] {
        resume::measure(target, scale, report).await;
    }
}
