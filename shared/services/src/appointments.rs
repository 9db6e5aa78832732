//! Appointments are found a time, moved and cancelled here, whoever asks for it, and made for the clinic's people; what callers book
//! is in [`crate::reception`]. One rule decides ([`Offer::fit`]), one transaction writes ([`Bookings::book`]).

use std::sync::Arc;

use base::{clock::Clock, entropy::Entropy};
use domain::{
    audit::{Action, Actor, AuditEntry, RecordId},
    booking::{
        appointment::{Appointment, MadeBy, Patient, Status},
        availability::{Booker, Offer, Slot, Unfit, intervals, spread},
        catalog::{Resource, Service},
        conversation::Conversation,
        diary::{Diary, Owner, ResourceDay},
        intake::Answered,
    },
    contact::Contact,
    ids::{AppointmentId, ContactId, OrgId, ResourceId, ServiceId},
    message::{Cause, Due, Kind},
    personal::{Personal, Words},
};
use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, Time},
};
use platform::Platform;
use store::{
    Attempt, ChangeError, Dynamo, StoreError,
    booking::{Booking, Bookings, Catalog, Intent},
    contacts::Contacts,
};

use crate::calendar::Announcer;

/// How long a request of the clinic's that has no key of its own is taken for a repeat of an equal one.
const REPEATED: SignedDuration = SignedDuration::from_mins(10);

/// Why a person takes a time that is not free.
pub type Reason<'a> = &'a Personal<String, Words>;

/// The diary of every clinic.
#[derive(Clone, Debug)]
pub struct Appointments {
    /// Where they are written.
    pub bookings: Bookings,
    /// The patients.
    pub contacts: Contacts,
    announcer: Announcer,
    db: Dynamo,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

/// By which resources a service is to be given.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// By exactly these, one of each need.
    These(&'a [ResourceId]),
    /// By any that the service may be given by, this one among them if one is named.
    Any(Option<&'a ResourceId>),
}

/// Who asks for a change of an appointment.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    /// A caller, on the call of this conversation, in which the change is noted.
    Caller(&'a Conversation),
    /// A person of the clinic's, whom the audit log names.
    Person(&'a Actor),
}

impl<'a> Asker<'a> {
    const fn booker(self) -> Booker {
        match self {
            Self::Caller(_) => Booker::Caller,
            Self::Person(_) => Booker::Staff,
        }
    }

    /// Whose doing a change is, to the patient who is told of it: of an appointment from what it was to what it is.
    fn cause(self, from: &Appointment, to: &Appointment) -> Cause {
        match self {
            Self::Caller(_) => Cause::Patient,
            Self::Person(_) => Cause::moved_by_clinic(from, to),
        }
    }

    const fn conversation(self) -> Option<&'a Conversation> {
        match self {
            Self::Caller(conversation) => Some(conversation),
            Self::Person(_) => None,
        }
    }

    /// What the audit log keeps of the change, if a person made it.
    fn act(self, about: &Appointment, action: Action, now: Timestamp) -> Option<AuditEntry> {
        match self {
            Self::Caller(_) => None,
            Self::Person(actor) => Some(act_of(about, (actor, action, None), now)),
        }
    }
}

/// When times are looked for, for what, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The service.
    pub service: &'a Service,
    /// On these days of the wall clock, in order,
    pub days: &'a [Date],
    /// between these times of it.
    pub between: (Time, Time),
    /// Only with this resource, where one is wanted.
    pub only: Option<&'a ResourceId>,
    /// Who would book.
    pub booker: Booker,
    /// The appointment that would be moved: its own time counts as free.
    pub moving: Option<&'a AppointmentId>,
}

/// Who a patient is to the clinic.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// The contact, as it is once the appointment is made.
    pub contact: Contact,
    /// Whether that is to be written: the clinic did not know them, or not all of it.
    is_news: bool,
}

impl Person {
    /// Whom the clinic knows, after what they say now.
    fn told(known: Contact, patient: &Patient, now: Timestamp) -> Self {
        match known.learning(patient, now) {
            Some(contact) => Self { contact, is_news: true },
            None => Self { contact: known, is_news: false },
        }
    }

    /// What is to be written of them, if anything.
    pub(crate) fn news(&self) -> Option<&Contact> {
        Some(&self.contact).filter(|_| self.is_news)
    }

    /// The same person, who has answered something.
    pub(crate) fn answering(self, answers: &[Answered], now: Timestamp) -> Self {
        match self.contact.answering(answers, now) {
            Some(contact) => Self { contact, is_news: true },
            None => self,
        }
    }

    /// Their appointment: it names them, and mail about it goes where they said now, or else where they said before.
    #[must_use]
    pub(crate) fn of(&self, appointment: Appointment) -> Appointment {
        Appointment {
            contact_id: Some(self.contact.contact_id.clone()),
            email: appointment.email.clone().or_else(|| self.contact.email.clone()),
            may_text: appointment.may_text.or(self.contact.may_text),
            ..appointment
        }
    }
}

/// What a person of the clinic's books.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What.
    pub service_id: &'a ServiceId,
    /// When it begins.
    pub starts_at: Timestamp,
    /// By whom it is given, where that matters.
    pub resource_id: Option<&'a ResourceId>,
    /// For whom.
    pub patient: &'a Patient,
    /// Who that is, where the clinic chose one whom it knows.
    pub contact: Option<&'a Contact>,
    /// What is noted of it.
    pub notes: Option<&'a Personal<String, Words>>,
    /// Why it is booked although it is not free; none where it must be.
    pub overbook: Option<Reason<'a>>,
    /// Who books.
    pub by: &'a Actor,
    /// What tells the request from every other: the client's key, or the request itself.
    pub intent: &'a str,
    /// The hash of the whole request, where the client named it by a key.
    pub body_hash: Option<&'a str>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    /// It is booked.
    Made(Box<Appointment>),
    /// It was booked before: what that appointment is now.
    Repeated(Box<Appointment>),
    /// The client's key was used for another request.
    KeyReused,
    /// The clinic offers no such service.
    NoService,
    /// It cannot be booked.
    Unfit(Unfit),
}

/// Where an appointment is to be moved.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a> {
    /// The appointment, as it was read.
    pub appointment: &'a Appointment,
    /// When it is to begin.
    pub starts_at: Timestamp,
    /// By whom it is then given.
    pub by: By<'a>,
    /// Why it is moved although it is not free there; none where it must be.
    pub overbook: Option<Reason<'a>>,
    /// Who moves it.
    pub asker: Asker<'a>,
}

/// Everything that a decision about one time rests on, and what it takes the place of.
struct Ground<'a> {
    service: &'a Service,
    catalog: &'a Catalog,
    diary: Diary,
    replaced: Vec<Owner<'a>>,
    now: Timestamp,
}

impl Ground<'_> {
    /// The slot, and why it is overbooked if it is: only where it would not fit otherwise.
    fn decide<'o>(
        &self,
        (starts_at, by, booker): (Timestamp, By<'_>, Booker),
        overbook: Option<Reason<'o>>,
    ) -> Result<(Slot, Option<Reason<'o>>), Unfit> {
        let offer = Offer {
            service: self.service,
            resources: &self.catalog.resources,
            diary: &self.diary,
            booker,
            ignored: &self.replaced,
            now: self.now,
        };
        let fit = |offer: &Offer<'_>| match by {
            By::These(resources) => offer.fit(starts_at, resources),
            By::Any(only) => offer.fit_any(starts_at, only),
        };
        match (fit(&offer), overbook) {
            (Ok(slot), _) => Ok((slot, None)),
            (Err(unfit), None) => Err(unfit),
            (Err(_), Some(_)) => {
                fit(&Offer { booker: Booker::Overbooking, ..offer }).map(|slot| (slot, overbook))
            }
        }
    }

    /// The resources of a slot, as they were read.
    fn resources(&self, slot: &Slot) -> Vec<&Resource> {
        slot.resources.iter().filter_map(|id| self.catalog.resource(id)).collect()
    }
}

impl Appointments {
    /// Puts it together.
    pub fn new(platform: &Platform, db: Dynamo) -> Self {
        Self {
            bookings: Bookings::new(db.clone()),
            contacts: Contacts::new(db.clone()),
            announcer: Announcer::of(platform, &db),
            db,
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
        }
    }

    /// Writes a booking, and lets the clinic's calendars follow.
    ///
    /// # Errors
    /// As [`Announcer::book`].
    pub(crate) async fn book(&self, org: OrgId, booking: &Booking<'_>) -> Result<(), ChangeError> {
        self.announcer.book(org, booking).await
    }

    /// A fresh id.
    pub(crate) fn fresh_id(&self, now: Timestamp) -> AppointmentId {
        AppointmentId::parse(self.entropy.uuid(now).to_string())
            .unwrap_or_else(|_| unreachable!("a UUID is an id"))
    }

    /// Who the patient is: whom the clinic knows by this number and name, or somebody new. A number that is withheld is nobody's.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub(crate) async fn person(
        &self,
        org: OrgId,
        patient: &Patient,
        now: Timestamp,
    ) -> Result<Person, StoreError> {
        let known = match &patient.phone_number {
            Some(number) => self.contacts.find(org, number.reveal(), &patient.name).await?,
            None => None,
        };
        let Some(known) = known else {
            let id = ContactId::parse(self.entropy.uuid(now).to_string())
                .unwrap_or_else(|_| unreachable!("a UUID is an id"));
            return Ok(Person { contact: Contact::of(org, id, patient, now), is_news: true });
        };
        Ok(Person::told(known, patient, now))
    }

    /// What is taken of some resources on some days of UTC, for several of them.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn diary(
        &self,
        org: OrgId,
        wanted: &[(&[ResourceId], Vec<Date>)],
    ) -> Result<Diary, StoreError> {
        let reads = wanted.iter().map(|(resources, days)| async move {
            let resources: Vec<&ResourceId> = resources.iter().collect();
            self.bookings.diary(org, &resources, days).await
        });
        let mut days: Vec<ResourceDay> = Vec::new();
        for day in futures::future::try_join_all(reads).await?.into_iter().flat_map(|diary| diary.days) {
            let is_known = |known: &ResourceDay| known.resource_id == day.resource_id && known.day == day.day;
            if !days.iter().any(is_known) {
                days.push(day);
            }
        }
        Ok(Diary { days })
    }

    /// Books what a person of the clinic's asks for, once: a repeat is answered with the appointment that it became.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn make(&self, org: OrgId, request: &Request<'_>) -> Result<Requested, StoreError> {
        let book = || self.try_to_make(org, request);
        self.db.until_written("the diary", book).await
    }

    async fn try_to_make(&self, org: OrgId, request: &Request<'_>) -> Result<Attempt<Requested>, StoreError> {
        let (catalog, intent) =
            futures::try_join!(self.bookings.catalog(org), self.bookings.intent(org, request.intent))?;
        let now = self.clock.now();
        if let Some(repeated) = self.made_before(org, request, intent.as_ref(), now).await? {
            return Ok(Attempt::Done(repeated));
        }
        let Some(service) = catalog.service(request.service_id) else {
            return Ok(Attempt::Done(Requested::NoService));
        };
        let resources: Vec<ResourceId> = service.terms.resources().into_iter().cloned().collect();
        let days = days_of(service, request.starts_at);
        let person = async {
            match request.contact {
                // Read anew in each round: another may have written it.
                Some(contact) => {
                    let there = self.contacts.get(org, &contact.contact_id).await?;
                    Ok(Person::told(there.unwrap_or_else(|| contact.clone()), request.patient, now))
                }
                None => self.person(org, request.patient, now).await,
            }
        };
        let wanted_days = [(resources.as_slice(), days)];
        let (diary, person) = futures::try_join!(self.diary(org, &wanted_days), person)?;
        let ground = Ground { service, catalog: &catalog, diary, replaced: Vec::new(), now };
        let wanted = (request.starts_at, By::Any(request.resource_id), Booker::Staff);
        let (slot, overbook) = match ground.decide(wanted, request.overbook) {
            Ok(decided) => decided,
            Err(unfit) => return Ok(Attempt::Done(Requested::Unfit(unfit))),
        };
        let id = self.fresh_id(now);
        let made = MadeBy::Staff { user_id: request.by.user.clone() };
        let confirmed =
            Appointment::confirmed(id.clone(), service, &slot, (request.patient.clone(), made), now);
        let appointment = person.of(Appointment {
            overbooked: overbook.cloned(),
            notes: request.notes.cloned(),
            ..confirmed
        });
        let Some(days) = ground.diary.taking(&appointment.entry(), &slot.resources, &[], now) else {
            return Ok(Attempt::Moved);
        };
        let intent = Intent {
            org_id: org,
            intent: request.intent.to_owned(),
            version: intent.map_or(0, |intent| intent.version),
            appointment_id: id,
            at: now,
            body_hash: request.body_hash.map(str::to_owned),
            tool_call: None,
        };
        let action = if overbook.is_some() { Action::Overbook } else { Action::BookAppointment };
        let act = act_of(&appointment, (request.by, action, overbook), now);
        let due = Due::of(&appointment, Kind::Confirmation, Cause::of_clinic(&appointment), now);
        let booking = Booking {
            by: Some((service, &ground.resources(&slot))),
            days: &days,
            appointment: Some(&appointment),
            intent: Some(&intent),
            act: Some(&act),
            contact: person.news(),
            due: &due,
            ..Booking::default()
        };
        let written = Attempt::of(self.book(org, &booking).await)?;
        Ok(written.map(|()| {
            tracing::info!(org_id = %org, appointment_id = %appointment.appointment_id,
                "an appointment was booked by the clinic");
            Requested::Made(Box::new(appointment.written()))
        }))
    }

    /// What a request was answered before, if it is a repeat.
    async fn made_before(
        &self,
        org: OrgId,
        request: &Request<'_>,
        intent: Option<&Intent>,
        now: Timestamp,
    ) -> Result<Option<Requested>, StoreError> {
        let Some(intent) = intent else { return Ok(None) };
        let has_a_key = request.body_hash.is_some();
        if intent.body_hash.as_deref() != request.body_hash {
            return Ok(Some(Requested::KeyReused));
        }
        if !has_a_key && now.duration_since(intent.at) >= REPEATED {
            return Ok(None);
        }
        let there = self.bookings.appointment(org, &intent.appointment_id).await?;
        // What was cancelled since may be booked again by an equal request; a key names one request for ever.
        let counts = |appointment: &Appointment| has_a_key || appointment.status != Status::Cancelled;
        Ok(there.filter(counts).map(|there| Requested::Repeated(Box::new(there))))
    }

    /// Moves an appointment, once: reads, decides and writes. Returns it as it is then, or why it cannot be.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn try_to_move(
        &self,
        catalog: &Catalog,
        wish: &Move<'_>,
    ) -> Result<Result<Attempt<Appointment>, Unfit>, StoreError> {
        let (appointment, now) = (wish.appointment, self.clock.now());
        let Some(service) = catalog.service_of(&appointment.service_id) else {
            return Ok(Err(Unfit::NotItsResources));
        };
        let resources: Vec<ResourceId> = service.terms.resources().into_iter().cloned().collect();
        let mut wanted = vec![
            (resources.as_slice(), days_of(service, wish.starts_at)),
            (appointment.resource_ids.as_slice(), appointment.blocked.days()),
        ];
        let mut replaced = vec![Owner::Appointment(&appointment.appointment_id)];
        let conversation = wish.asker.conversation();
        if let Some(conversation) = conversation {
            replaced.push(Owner::Hold(&conversation.call_id));
            wanted.extend(
                conversation.held.iter().map(|held| (held.resource_ids.as_slice(), held.blocked.days())),
            );
        }
        let diary = self.diary(appointment.org_id, &wanted).await?;
        let ground = Ground { service, catalog, diary, replaced, now };
        let decided = ground.decide((wish.starts_at, wish.by, wish.asker.booker()), wish.overbook);
        let (slot, overbook) = match decided {
            Ok(decided) => decided,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let moved = Appointment { overbooked: overbook.cloned(), ..appointment.moved(&slot) };
        let days = ground.diary.taking(&moved.entry(), &slot.resources, &ground.replaced, now);
        let Some(days) = days else { return Ok(Ok(Attempt::Moved)) };
        let conversation = conversation.map(Conversation::holding_nothing);
        let act = match (wish.asker, overbook) {
            (Asker::Person(actor), Some(_)) => Some(act_of(&moved, (actor, Action::Overbook, overbook), now)),
            (asker, _) => asker.act(&moved, Action::MoveAppointment, now),
        };
        let due = Due::of(&moved, Kind::Change, wish.asker.cause(appointment, &moved), now);
        let booking = Booking {
            by: Some((service, &ground.resources(&slot))),
            days: &days,
            conversation: conversation.as_ref(),
            appointment: Some(&moved),
            act: act.as_ref(),
            due: &due,
            ..Booking::default()
        };
        let written = Attempt::of(self.book(appointment.org_id, &booking).await)?;
        Ok(Ok(written.map(|()| {
            tracing::info!(org_id = %appointment.org_id, appointment_id = %appointment.appointment_id,
                "an appointment was moved");
            moved.written()
        })))
    }

    /// Cancels an appointment, once, and gives its time back. Returns it as it is then.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn try_to_cancel(
        &self,
        appointment: &Appointment,
        asker: Asker<'_>,
    ) -> Result<Attempt<Appointment>, StoreError> {
        let (org, now) = (appointment.org_id, self.clock.now());
        let diary = self.diary(org, &[(&appointment.resource_ids, appointment.blocked.days())]).await?;
        let days = diary.giving_back(Owner::Appointment(&appointment.appointment_id), now);
        let after = Appointment { status: Status::Cancelled, ..appointment.clone() };
        let act = asker.act(&after, Action::CancelAppointment, now);
        let due = Due::of(&after, Kind::Cancellation, asker.cause(appointment, &after), now);
        let booking = Booking {
            days: &days,
            conversation: asker.conversation(),
            appointment: Some(&after),
            act: act.as_ref(),
            due: &due,
            ..Booking::default()
        };
        let written = Attempt::of(self.book(org, &booking).await)?;
        Ok(written.map(|()| {
            tracing::info!(org_id = %org, appointment_id = %appointment.appointment_id, "an appointment was cancelled");
            after.written()
        }))
    }

    /// Writes an appointment that differs from what was read in what takes no time: how it stands, what is noted. Returns it as
    /// it is then.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn try_to_note(
        &self,
        after: Appointment,
        by: &Actor,
    ) -> Result<Attempt<Appointment>, StoreError> {
        let act = act_of(&after, (by, Action::NoteAppointment, None), self.clock.now());
        let booking = Booking { appointment: Some(&after), act: Some(&act), ..Booking::default() };
        let written = Attempt::of(self.book(after.org_id, &booking).await)?;
        Ok(written.map(|()| after.written()))
    }

    /// What can be booked, in order.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn openings(&self, catalog: &Catalog, search: &Search<'_>) -> Result<Vec<Slot>, StoreError> {
        let service = search.service;
        let resources = service.terms.resources();
        let diary = self.bookings.diary(service.org_id, &resources, &around(search.days)).await?;
        let ignored: Vec<Owner<'_>> = search.moving.into_iter().map(Owner::Appointment).collect();
        let offer = Offer {
            service,
            resources: &catalog.resources,
            diary: &diary,
            booker: search.booker,
            ignored: &ignored,
            now: self.clock.now(),
        };
        Ok(offer.openings(search.days, search.between, search.only))
    }

    /// At most three times at which staff can book the service instead, or move this appointment to, on the same day of the wall
    /// clock.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn alternatives(
        &self,
        org: OrgId,
        service_id: &ServiceId,
        (starts_at, only, moving): (Timestamp, Option<&ResourceId>, Option<&AppointmentId>),
    ) -> Result<Vec<Slot>, StoreError> {
        let catalog = self.bookings.catalog(org).await?;
        let Some(service) = catalog.service_of(service_id) else { return Ok(Vec::new()) };
        let Some(first) = service.terms.resources().into_iter().find_map(|id| catalog.resource(id)) else {
            return Ok(Vec::new());
        };
        let shown = first.hours.time_zone.wall_clock(starts_at);
        let days = &[shown.date()];
        let search = Search { service, days, between: ALL_DAY, only, booker: Booker::Staff, moving };
        Ok(spread(&self.openings(&catalog, &search).await?, Some(shown.time())))
    }
}

/// From the first minute of a day to its last.
pub const ALL_DAY: (Time, Time) = (Time::midnight(), Time::constant(23, 59, 0, 0));

/// Days of the wall clock, and one on each side: a day of UTC begins and ends at another time.
fn around(days: &[Date]) -> Vec<Date> {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Vec::new() };
    let (first, last) = (first.saturating_sub(1.day()), last.saturating_add(1.day()));
    first.series(1.day()).take_while(|day| *day <= last).collect()
}

/// The days of UTC that a service takes which begins then.
pub(crate) fn days_of(service: &Service, starts_at: Timestamp) -> Vec<Date> {
    intervals(&service.terms, starts_at).map(|(_, blocked)| blocked.days()).unwrap_or_default()
}

/// What the audit log keeps of an act, and of the reason that was given for it.
fn act_of(
    about: &Appointment,
    (actor, action, reason): (&Actor, Action, Option<Reason<'_>>),
    now: Timestamp,
) -> AuditEntry {
    let record = RecordId::Appointment(about.appointment_id.clone());
    let purpose = reason.map(|reason| reason.reveal().clone());
    AuditEntry::granted(about.org_id, actor.clone(), (action, record), purpose, now)
}
