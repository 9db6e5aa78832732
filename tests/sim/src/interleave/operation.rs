//! What can meet: operations that move a wallet's money, and operations that take or give back a practitioner's time.

use std::fmt;

/// Something that moves the money of a wallet, or takes or gives back time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Operation {
    /// Vapi asks whether a call may start.
    Authorize,
    /// The meter gives a live call its next minutes.
    Extend,
    /// The meter ends a live call whose money is used up, or that has none.
    End,
    /// A call that was talked is reported.
    Settle,
    /// A payment has come in.
    TopUp,
    /// Part of a payment has gone back.
    Refund,
    /// The clinic buys a number, as far as its price.
    Purchase,
    /// A call without talk is reported.
    Release,
    /// Somebody wants something of the diary.
    Diary(Wish),
}

/// What somebody wants of the diary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Wish {
    /// To be kept a time.
    Hold,
    /// To book it.
    Book,
    /// To move an appointment to it.
    Move,
    /// To cancel an appointment.
    Cancel,
    /// A calendar is read, in which others keep the time busy.
    Import,
    /// Time passes: what is kept for callers is kept no longer.
    Expire,
    /// The clinic saves that it is closed at that time.
    Close,
}

impl Wish {
    /// Whether it is a caller's.
    pub(super) const fn is_a_callers(self) -> bool {
        match self {
            Self::Hold | Self::Book | Self::Move | Self::Cancel => true,
            Self::Import | Self::Expire | Self::Close => false,
        }
    }
}

impl Operation {
    /// Every one that moves money.
    pub(super) const OF_MONEY: [Self; 8] = [
        Self::Authorize,
        Self::Extend,
        Self::End,
        Self::Settle,
        Self::TopUp,
        Self::Refund,
        Self::Purchase,
        Self::Release,
    ];

    /// Every operation on the diary.
    pub(super) const OF_THE_DIARY: [Self; 7] = [
        Self::Diary(Wish::Hold),
        Self::Diary(Wish::Book),
        Self::Diary(Wish::Move),
        Self::Diary(Wish::Cancel),
        Self::Diary(Wish::Import),
        Self::Diary(Wish::Expire),
        Self::Diary(Wish::Close),
    ];

    /// Its name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Extend => "extend",
            Self::End => "end",
            Self::Settle => "settle",
            Self::TopUp => "top-up",
            Self::Refund => "refund",
            Self::Purchase => "purchase",
            Self::Release => "release",
            Self::Diary(Wish::Hold) => "hold",
            Self::Diary(Wish::Book) => "book",
            Self::Diary(Wish::Move) => "move",
            Self::Diary(Wish::Cancel) => "cancel",
            Self::Diary(Wish::Import) => "import",
            Self::Diary(Wish::Expire) => "expire",
            Self::Diary(Wish::Close) => "close",
        }
    }

    /// Whether it may leave less than nothing available: money that has gone already.
    pub(super) const fn may_make_debt(self) -> bool {
        match self {
            Self::Settle | Self::Refund => true,
            Self::Authorize
            | Self::Extend
            | Self::End
            | Self::TopUp
            | Self::Purchase
            | Self::Release
            | Self::Diary(_) => false,
        }
    }
}

/// An operation on one call, payment or direction. Two parts that are equal are one message that comes twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Part {
    pub(super) operation: Operation,
    pub(super) subject: u8,
}

impl Part {
    /// The call that it is about, if it is about one.
    pub(super) fn call(self) -> String {
        format!("{}-{}", self.operation.as_str(), self.subject)
    }

    /// What a purchase is for.
    pub(super) const fn direction(self) -> &'static str {
        if self.subject == 0 { "inbound" } else { "outbound" }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.subject == 0 {
            f.write_str(self.operation.as_str())
        } else {
            write!(f, "another {}", self.operation.as_str())
        }
    }
}
