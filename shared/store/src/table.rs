//! The tables, and whose data each holds.

/// The tables, as `template.yaml` declares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// An org's money.
    Wallets,
    /// Its movements.
    LedgerEntries,
    /// Stripe customer → org.
    StripeCustomers,
    /// Vapi phone number → org.
    PhoneNumberMapping,
    /// Vapi assistant → org.
    AssistantMapping,
    /// Calls, and their text.
    Calls,
    /// Which calls have a slot of the one account at Vapi.
    CallSlots,
    /// Vapi call → org and call.
    CallMapping,
    /// What vendors state of calls beyond what is billed.
    Doubts,
    /// An org's numbers, with what opens them: what the dropdown shows.
    OrgCredentials,
    /// The numbers we manage: what was bought, and what became of it.
    ManagedPhoneNumbers,
    /// Purchases of numbers.
    NumberPurchases,
    /// Each org's subaccount at Twilio.
    TwilioSubaccounts,
    /// What is made once for all orgs at Vapi.
    VapiObjects,
    /// What this deployment is: its mark.
    Stack,
    /// The orgs' agents.
    Agents,
    /// What orgs say about themselves: their time zone.
    Clinics,
    /// Who works at clinics.
    Teams,
    /// What clinics offer: services, practitioners, rooms.
    BookingCatalog,
    /// What is taken of each practitioner and room, by UTC day.
    ResourceDays,
    /// Appointments, what was asked for, and what was offered on calls.
    Appointments,
    /// Clinics' calendars at their vendor, and how appointments stand in them.
    Calendars,
    /// What others keep busy in clinics' calendars.
    ExternalEvents,
    /// Calendar channel, or consent that is asked for → org.
    CalendarChannels,
    /// What clinics are told.
    Notifications,
    /// Whom clinics know, and by which number and name.
    Contacts,
    /// What patients were told of their appointments.
    Messages,
    /// What they are to be told, by the hour in which it is due.
    DueMessages,
    /// What Vapi sent that could not be placed.
    VapiWebhookEvents,
    /// What Stripe sent, and what became of it.
    StripeWebhookEvents,
    /// How often an org did what costs money at a vendor.
    Rates,
    /// Who did what to whose record: only ever added to.
    AuditLog,
    /// What reconciliation has done, and how far it has come.
    Reconciliation,
}

impl Table {
    /// Its name, without the environment in front.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wallets => "wallets",
            Self::LedgerEntries => "ledger_entries",
            Self::StripeCustomers => "stripe_customers",
            Self::PhoneNumberMapping => "phone_number_mapping",
            Self::AssistantMapping => "assistant_mapping",
            Self::Calls => "calls",
            Self::CallSlots => "call_slots",
            Self::CallMapping => "call_mapping",
            Self::Doubts => "doubts",
            Self::OrgCredentials => "org_credentials",
            Self::ManagedPhoneNumbers => "managed_phone_numbers",
            Self::NumberPurchases => "number_purchases",
            Self::TwilioSubaccounts => "twilio_subaccounts",
            Self::VapiObjects => "vapi_objects",
            Self::Stack => "stack",
            Self::Agents => "agents",
            Self::Clinics => "clinics",
            Self::Teams => "teams",
            Self::BookingCatalog => "booking_catalog",
            Self::ResourceDays => "resource_days",
            Self::Appointments => "appointments",
            Self::Calendars => "calendars",
            Self::ExternalEvents => "external_events",
            Self::CalendarChannels => "calendar_channels",
            Self::Notifications => "notifications",
            Self::Contacts => "contacts",
            Self::Messages => "messages",
            Self::DueMessages => "due_messages",
            Self::VapiWebhookEvents => "vapi_webhook_events",
            Self::StripeWebhookEvents => "stripe_webhook_events",
            Self::Rates => "rates",
            Self::AuditLog => "audit_log",
            Self::Reconciliation => "reconciliation",
        }
    }

    /// Whose data the table holds, which decides what [`crate::scope::Scope`] may reach it.
    pub const fn owner(self) -> Owner {
        match self {
            Self::Wallets
            | Self::LedgerEntries
            | Self::Calls
            | Self::Doubts
            | Self::OrgCredentials
            | Self::ManagedPhoneNumbers
            | Self::NumberPurchases
            | Self::TwilioSubaccounts
            | Self::Rates
            | Self::AuditLog
            | Self::Agents
            | Self::BookingCatalog
            | Self::ResourceDays
            | Self::Appointments
            | Self::Calendars
            | Self::ExternalEvents
            | Self::Notifications
            | Self::Contacts
            | Self::Messages
            | Self::Teams
            | Self::Clinics => Owner::Org,
            Self::DueMessages => Owner::Outbox,
            Self::StripeCustomers
            | Self::PhoneNumberMapping
            | Self::AssistantMapping
            | Self::CallMapping
            | Self::CalendarChannels => Owner::Mapping,
            Self::CallSlots
            | Self::VapiObjects
            | Self::Stack
            | Self::VapiWebhookEvents
            | Self::StripeWebhookEvents
            | Self::Reconciliation => Owner::System,
        }
    }

    /// Every table there is.
    pub const ALL: [Self; 33] = [
        Self::Wallets,
        Self::LedgerEntries,
        Self::StripeCustomers,
        Self::PhoneNumberMapping,
        Self::AssistantMapping,
        Self::Calls,
        Self::CallSlots,
        Self::CallMapping,
        Self::Doubts,
        Self::OrgCredentials,
        Self::ManagedPhoneNumbers,
        Self::NumberPurchases,
        Self::TwilioSubaccounts,
        Self::VapiObjects,
        Self::Stack,
        Self::Agents,
        Self::Clinics,
        Self::Teams,
        Self::BookingCatalog,
        Self::ResourceDays,
        Self::Appointments,
        Self::Calendars,
        Self::ExternalEvents,
        Self::CalendarChannels,
        Self::Notifications,
        Self::Contacts,
        Self::Messages,
        Self::DueMessages,
        Self::VapiWebhookEvents,
        Self::StripeWebhookEvents,
        Self::Rates,
        Self::AuditLog,
        Self::Reconciliation,
    ];

    /// The table of this full name, whatever its environment.
    pub fn of_full_name(name: &str) -> Option<Self> {
        // `voxanne-<environment>-<name>`: neither an environment nor a table's name has a dash.
        let name = name.rsplit('-').next()?;
        Self::ALL.into_iter().find(|table| table.name() == name)
    }
}

/// Whose data a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The orgs': the partition key is `org_id`.
    Org,
    /// What leads from a vendor's id to an org: the key is the vendor's, and each item bears its `org_id`.
    Mapping,
    /// What orgs leave for a task that works for all of them: each item bears its `org_id`, an org adds one and reads none.
    Outbox,
    /// The deployment's own.
    System,
}
