//! Teams of whose people the issuer was not told: it did not answer, it had enough of letters, or the process died that was to tell it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Reconcile, ReconcileError, Run};
use base::alarm;
use domain::ids::OrgId;

/// The task under which it is remembered since when a team waits.
const UNTOLD: &str = "teams_untold";
/// How many teams one run takes.
const MOST: usize = 1_000;
/// After how long a person looks at it: a removal that is not heard of leaves somebody in.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

impl Reconcile {
    /// Tells the issuer of every team that waits for it, and remembers since when one waits.
    pub(super) async fn teams(&self, run: &mut Run) -> Result<(), ReconcileError> {
        self.alarm_if_open(run).await;
        let mut waiting = self.team.unsettled(MOST).await?;
        run.cut_if(waiting.len() > MOST);
        waiting.truncate(MOST);
        let mut still: BTreeSet<String> = waiting.iter().map(ToString::to_string).collect();
        for org in waiting {
            if run.is_out_of_time(self.clock.now()) {
                break;
            }
            run.checked(org);
            if self.is_told(run, org).await {
                still.remove(&org.to_string());
            } else {
                let since = self.runs.note_seen(UNTOLD, &org.to_string(), self.clock.now()).await?;
                alarm_if_long(org, since, self.clock.now());
            }
        }
        for (org, _) in self.runs.seen(UNTOLD, "").await? {
            if !still.contains(&org) {
                self.runs.forget(UNTOLD, &org).await?;
            }
        }
        Ok(())
    }

    /// An account that somebody makes alone gets no clinic, but is in the way of the person whose address it bears.
    async fn alarm_if_open(&self, run: &mut Run) {
        match self.team.takes_sign_ups().await {
            Ok(false) => {}
            Ok(true) => {
                alarm!("sign_ups_open", "people may make accounts at the issuer by themselves");
                run.left("sign_ups_open", "issuer");
            }
            Err(error) => run.failed("sign_ups_not_known", "issuer", &error),
        }
    }

    /// Whether the issuer has an org's team as it is meant. One of whom it will not be told holds up no other.
    async fn is_told(&self, run: &mut Run, org: OrgId) -> bool {
        match Box::pin(self.team.settled(org)).await {
            Ok(team) if team.is_settled() => {
                run.repaired("team_told", org);
                true
            }
            // Another process is at it, or the issuer had enough of letters.
            Ok(_) => false,
            Err(error) => {
                run.failed("team_untold", org, &error);
                false
            }
        }
    }
}

fn alarm_if_long(org: OrgId, since: Timestamp, now: Timestamp) {
    if now.duration_since(since) >= LONGEST {
        alarm!("team_untold", org_id = %org, since = %since,
            "the issuer has not been told for an hour who works at a clinic, or who does no more");
    }
}
