//! The diary that operations meet at: callers who all want one time, and some who have another that they move or cancel.

use base::clock::Clock as _;
use bytes::Bytes;
use domain::{
    booking::{
        agreement::differences,
        appointment::{Appointment, MadeBy, Status},
        diary::{ResourceDay, Taken},
    },
    ids::CallId,
};
use http::Request;
use jiff::{Timestamp, civil::Weekday};
use serde_json::{Value, json};
use store::booking::{Between, Bookings};
use vendors::vapi::tools::{
    BOOK_APPOINTMENT, CANCEL_APPOINTMENT, CHECK_AVAILABILITY, FIND_APPOINTMENTS, RESCHEDULE_APPOINTMENT,
};

use super::{
    operation::{Operation, Part, Wish},
    scene::{ORG, Scene, message},
};

/// When everybody wants to come.
const WANTED: &str = "next Tuesday morning";
/// When those who have an appointment already are to come.
const HAD: &str = "next Wednesday morning";

/// The letter of the appointment that such a caller has: the first search for a time used three. E is the first time of the next.
const HAS: &str = "D";

/// The name that a caller gives; each has another.
fn name_of(part: Part, wish: Wish) -> String {
    let first = ["Ada", "Bea"].get(usize::from(part.subject)).copied().unwrap_or_default();
    let second = match wish {
        Wish::Hold => "Holder",
        Wish::Book => "Booker",
        Wish::Move => "Mover",
        Wish::Cancel => "Canceller",
        Wish::Import | Wish::Expire | Wish::Close => "Nobody",
    };
    format!("{first} {second}")
}

impl Scene {
    /// The parts that are operations on the diary, each once.
    fn wishes(&self) -> Vec<(Part, Wish)> {
        let wish = |part: Part| match part.operation {
            Operation::Diary(wish) => Some((part, wish)),
            Operation::Authorize
            | Operation::Extend
            | Operation::End
            | Operation::Settle
            | Operation::TopUp
            | Operation::Refund
            | Operation::Purchase
            | Operation::Release => None,
        };
        self.combination.subjects().into_iter().filter_map(wish).collect()
    }

    /// The clinic has one practitioner, and everybody on the line has been told of the same first time.
    pub(super) async fn open_the_diary(&self) {
        let wishes = self.wishes();
        if wishes.is_empty() {
            return;
        }
        let spans = json!([{"from": "09:00", "to": "12:00"}]);
        let hours = json!({"name": "Dr Rahman", "time_zone": "Europe/London",
            "weekly": {"tuesday": spans, "wednesday": spans}});
        let resource = self.asked("/api/resources", &hours).await;
        *self.resource.borrow_mut() = resource.clone();
        let service = json!({"name": "Check-up", "duration_mins": 30, "start_interval_mins": 30,
            "needs": [[resource["id"]]], "min_notice_mins": 0});
        self.asked("/api/services", &service).await;
        for (part, wish) in wishes {
            match wish {
                Wish::Hold | Wish::Book => {
                    let asked = json!({"service": "check-up", "when": WANTED});
                    self.must_use(part, (CHECK_AVAILABILITY, asked)).await;
                }
                Wish::Move | Wish::Cancel => self.has_an_appointment(part, wish).await,
                Wish::Import | Wish::Expire | Wish::Close => {
                    let asked = json!({"service": "check-up", "when": WANTED});
                    self.must_use(part, (CHECK_AVAILABILITY, asked)).await;
                    self.note_wanted(part).await;
                    self.prepare(part, wish).await;
                }
            }
        }
    }

    /// Prepares what is no caller's wish, once the callers before have been told of the time.
    async fn prepare(&self, part: Part, wish: Wish) {
        match wish {
            Wish::Import => self.connect_a_calendar(part).await,
            // It is kept for somebody who never comes back.
            Wish::Expire => self.must_use(part, (BOOK_APPOINTMENT, json!({"option": "A"}))).await,
            Wish::Hold | Wish::Book | Wish::Move | Wish::Cancel | Wish::Close => {}
        }
    }

    async fn has_an_appointment(&self, part: Part, wish: Wish) {
        let name = name_of(part, wish);
        self.must_use(part, (CHECK_AVAILABILITY, json!({"service": "check-up", "when": HAD}))).await;
        self.must_use(part, (BOOK_APPOINTMENT, json!({"option": "A", "patient_name": name}))).await;
        self.must_use(part, (FIND_APPOINTMENTS, json!({"patient_name": name}))).await;
        if wish == Wish::Move {
            self.must_use(part, (CHECK_AVAILABILITY, json!({"which": HAS, "when": WANTED}))).await;
        }
    }

    async fn asked(&self, path: &str, body: &Value) -> Value {
        let request = self.owners("POST", path, body);
        let answer = Box::pin(self.stack.request(request)).await;
        assert!(answer.status().is_success(), "{path}: {:?}", answer.body());
        serde_json::from_slice(answer.body()).expect("the API answers in JSON")
    }

    async fn must_use(&self, part: Part, (tool, arguments): (&str, Value)) {
        let id = format!("before-{}-{tool}-{arguments}", part.call());
        let answer = Box::pin(self.stack.request(self.uses(part, (&id, tool), &arguments))).await;
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(!body.contains("NOT ") && body.contains("results"), "{tool} {arguments}: {body}");
    }

    /// What Vapi posts when the assistant of a call uses a tool.
    fn uses(&self, part: Part, (id, tool): (&str, &str), arguments: &Value) -> Request<Bytes> {
        let list =
            json!([{"id": id, "type": "function", "function": {"name": tool, "arguments": arguments}}]);
        self.vapis(&message("tool-calls", &part.call(), &json!({"toolCallList": list})))
    }

    /// What Vapi posts that is this operation; the same each time.
    pub(super) fn use_of(&self, part: Part, wish: Wish) -> Request<Bytes> {
        let (tool, arguments) = match wish {
            Wish::Close => return self.closes(),
            Wish::Hold | Wish::Import | Wish::Expire => (BOOK_APPOINTMENT, json!({"option": "A"})),
            Wish::Book => (BOOK_APPOINTMENT, json!({"option": "A", "patient_name": name_of(part, wish)})),
            Wish::Move => (RESCHEDULE_APPOINTMENT, json!({"which": HAS, "option": "E"})),
            Wish::Cancel => (CANCEL_APPOINTMENT, json!({"which": HAS})),
        };
        self.uses(part, (&format!("tool-{part}"), tool), &arguments)
    }

    /// That appointments and the times they take agree, and that each caller has what the tools could have given: one has the time that
    /// all wanted, unless it is kept for somebody.
    pub(super) async fn check_the_diary(&self) -> Result<(), String> {
        let wishes = self.wishes();
        if wishes.is_empty() {
            return Ok(());
        }
        let (appointments, days) = self.diary().await?;
        let differing = differences(&appointments, &days, self.gate.now());
        if !differing.is_empty() {
            return Err(format!("appointments and taken times differ: {differing:?}"));
        }
        for (part, wish) in &wishes {
            let call = CallId::parse(part.call()).map_err(|error| error.to_string())?;
            let is_its =
                |one: &&Appointment| matches!(&one.made, MadeBy::Caller { call_id } if *call_id == call);
            let own: Vec<Status> = appointments.iter().filter(is_its).map(|one| one.status).collect();
            let is_right = match wish {
                Wish::Hold | Wish::Import | Wish::Expire | Wish::Close => own.is_empty(),
                Wish::Book => own.is_empty() || own == [Status::Confirmed],
                Wish::Move => own == [Status::Confirmed],
                Wish::Cancel => own == [Status::Cancelled],
            };
            if !is_right {
                return Err(format!("after {part} its call has {own:?}"));
            }
        }
        let has_it = |one: &&Appointment| {
            one.status == Status::Confirmed && one.wall_clock.weekday() == Weekday::Tuesday
        };
        let have_it = appointments.iter().filter(has_it).count();
        let entries = || days.iter().flat_map(|day| &day.entries);
        let is_kept = entries().any(|entry| matches!(entry.taken, Taken::Hold { .. }));
        if self.wishes_for(Wish::Import) {
            self.check_the_calendar((&appointments, &days)).await?;
        }
        if self.wishes_for(Wish::Close) {
            self.check_the_closure().await?;
        }
        // Where it is shut, or was kept for somebody for a while, it may be nobody's in the end.
        let is_all_callers = wishes.iter().all(|(_, wish)| wish.is_a_callers());
        let wants = is_all_callers && wishes.iter().any(|(_, wish)| matches!(wish, Wish::Book | Wish::Move));
        match have_it {
            0 if wants && !is_kept => Err("nobody has the time that was free".to_owned()),
            0 | 1 => Ok(()),
            many => Err(format!("{many} have the one time that all wanted")),
        }
    }

    async fn diary(&self) -> Result<(Vec<Appointment>, Vec<ResourceDay>), String> {
        let bookings = Bookings::new(self.stack.db());
        let all = Between { from: Timestamp::UNIX_EPOCH, to: Timestamp::MAX, limit: 100 };
        let listed = bookings.between(ORG, all, None).await.map_err(|error| error.to_string())?;
        let catalog = bookings.catalog(ORG).await.map_err(|error| error.to_string())?;
        let mut days = Vec::new();
        for resource in &catalog.resources {
            let of_resource = bookings.days_from(ORG, &resource.resource_id, self.gate.now()).await;
            days.extend(of_resource.map_err(|error| error.to_string())?);
        }
        Ok((listed.appointments, days))
    }
}
