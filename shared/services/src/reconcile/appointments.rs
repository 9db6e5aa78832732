//! Every clinic's appointments against the days of its practitioners and rooms. They are written together, so a difference is a bug of
//! ours or somebody's hand in the tables: it is shown to a person, and nothing "repairs" it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Reconcile, ReconcileError, Run, Task};
use base::alarm;
use domain::{
    booking::{
        agreement::differences, appointment::Appointment, catalog::LONGEST_BLOCKED, diary::ResourceDay,
    },
    ids::OrgId,
};
use store::booking::Between;

/// How long after a run that found a difference the next one counts: two reads of one moment are never quite of one moment.
const SECOND_LOOK: SignedDuration = SignedDuration::from_secs(60);
/// The task under which differences are remembered, each with its org in front.
const DIFFERING: &str = "appointments_differing";
/// How many appointments are read at a time.
const PAGE: i32 = 200;

impl Reconcile {
    /// Compares every clinic's appointments, from where the last run ended.
    pub(super) async fn appointments(&self, run: &mut Run) -> Result<(), ReconcileError> {
        let task = Task::Appointments.as_str();
        let mut after: Option<OrgId> = self.runs.cursor(task).await?.and_then(|org| org.parse().ok());
        loop {
            let (wallets, next) = self.wallets.page(after).await?;
            for (org, _) in wallets {
                if run.is_out_of_time(self.clock.now()) {
                    return Ok(());
                }
                // One that cannot be compared does not keep the others from it.
                if let Err(error) = self.compare(run, org).await {
                    run.failed("appointments_not_compared", org, &error);
                }
                self.runs.set_cursor(task, Some(&org.to_string())).await?;
            }
            after = next;
            if after.is_none() {
                return Ok(self.runs.set_cursor(task, None).await?);
            }
        }
    }

    /// Looks a second time at what differed: what differs a minute apart is no accident. It is told of, and forgotten, so that the next
    /// day's run finds it anew. What cannot be compared any more is for that run too.
    pub(super) async fn compare_differing_again(&self, run: &mut Run) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let seen = self.runs.seen(DIFFERING, "").await?;
        let mut due: BTreeMap<OrgId, Vec<String>> = BTreeMap::new();
        for (item, since) in seen {
            let org = item.split_once('#').and_then(|(org, _)| org.parse().ok());
            if let Some(org) = org.filter(|_| now.duration_since(since) >= SECOND_LOOK) {
                due.entry(org).or_default().push(item);
            }
        }
        for (org, items) in due {
            if run.is_out_of_time(self.clock.now()) {
                return Ok(());
            }
            let differing = self.differing(org).await;
            if let Err(error) = &differing {
                run.failed("appointments_not_compared", org, error);
            }
            let differing = differing.unwrap_or_default();
            for item in items {
                if let Some(difference) = differing.iter().find(|difference| item == named(org, difference)) {
                    alarm!("appointments_differ", org_id = %org, difference, "appointments and the times they take do not agree");
                    run.left("appointments_differ", &item);
                }
                self.runs.forget(DIFFERING, &item).await?;
            }
        }
        Ok(())
    }

    async fn compare(&self, run: &mut Run, org: OrgId) -> Result<(), ReconcileError> {
        run.checked(org);
        for difference in self.differing(org).await? {
            self.runs.note_seen(DIFFERING, &named(org, &difference), self.clock.now()).await?;
        }
        Ok(())
    }

    /// In what a clinic's appointments and the times they take differ now.
    async fn differing(&self, org: OrgId) -> Result<Vec<String>, ReconcileError> {
        let now = self.clock.now();
        // The days first: what is booked meanwhile is not there yet, what is cancelled meanwhile is.
        let days = self.days_ahead(org, now).await?;
        let appointments = self.appointments_ahead(org, now).await?;
        Ok(differences(&appointments, &days, now).iter().map(ToString::to_string).collect())
    }

    async fn days_ahead(&self, org: OrgId, now: Timestamp) -> Result<Vec<ResourceDay>, ReconcileError> {
        let catalog = self.bookings.catalog(org).await?;
        let mut days = Vec::new();
        for resource in catalog.resources.iter().chain(&catalog.former) {
            days.extend(self.bookings.days_from(org, &resource.resource_id, now).await?);
        }
        Ok(days)
    }

    async fn appointments_ahead(
        &self,
        org: OrgId,
        now: Timestamp,
    ) -> Result<Vec<Appointment>, ReconcileError> {
        let from = now.saturating_sub(LONGEST_BLOCKED).unwrap_or(now);
        let mut ahead = Vec::new();
        let mut after = None;
        loop {
            let asked = Between { from, to: Timestamp::MAX, limit: PAGE };
            let page = self.bookings.between(org, asked, after.as_ref()).await?;
            ahead.extend(page.appointments);
            after = page.next;
            if after.is_none() {
                return Ok(ahead);
            }
        }
    }
}

/// The name under which a difference of an org's is remembered.
fn named(org: OrgId, difference: &str) -> String {
    format!("{org}#{difference}")
}
