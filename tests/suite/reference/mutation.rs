//! Deliberate mistakes. A stream that no mistake shows up in proves little, so every mistake here must be caught by
//! the streams: the reference with the mistake must differ somewhere from the reference without it.

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One mistake that a programmer of such an engine could make.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutation { $($(#[$doc])* $name,)* }
        impl Mutation {
            pub const ALL: &[Mutation] = &[$(Mutation::$name,)*];
        }
    };
}

mutations! {
    /// A sliding window does not hold what lies exactly W back.
    WindowStartExclusive,
    /// Being equal to the limit is over it.
    OverIsAtLeast,
    /// A late event is judged by the window that ends at it alone.
    LateLooksBackOnly,
    /// Of windows that tie, the latest gives `from`.
    TieTakesLatest,
    /// What lies exactly W + lateness behind the newest is gone.
    GoneAtBound,
    /// What lies behind W + lateness stays.
    NothingIsGone,
    /// The wallet's newest event is only moved by events that match the rule.
    NewestOfRuleOnly,
    /// The newest of a key without the wallet is that of the wallet.
    NewestOfWalletForAnyKey,
    /// Days and months of calendar windows are those of UTC.
    CalendarInUtc,
    /// A calendar window ends at the event.
    CalendarLooksBackOnly,
    /// Only the current period is kept.
    PreviousPeriodGone,
    /// A duplicate is remembered in the windows.
    DuplicatesCountTwice,
    /// A duplicate's `client_status` is remembered.
    DuplicatesStateStatus,
    /// A duplicate is given the restrictions at the first one's time.
    DuplicateAtFirstTime,
    /// An id exactly `dedup` behind the newest is forgotten.
    IdForgottenAtDedup,
    /// Amounts of one id that differ are no conflict.
    ConflictIgnoresAmount,
    /// A time exactly `max_past` behind is rejected.
    MaxPastInclusive,
    /// Exactly `lateness` behind is flagged late.
    LateFlagInclusive,
    /// `counts = "accepted"` counts refused and blocked events.
    AcceptedCountsRefused,
    /// `counts = "accepted"` leaves out held events too.
    AcceptedDropsHeld,
    /// A reset does not end a row.
    StreakNotReset,
    /// A reset that was refused or blocked ends a row.
    RefusedResets,
    /// A gap of exactly `within` breaks a row.
    StreakGapExclusive,
    /// A late event takes the row's last time back.
    StreakLateMovesTime,
    /// The `at`-th event does not start the row afresh.
    StreakAtGoesOn,
    /// A row's `from` is the first event that arrived.
    StreakFromFirstArrival,
    /// `change` looks at the earlier neighbour alone.
    ChangeEarlierOnly,
    /// Of two differing neighbours, the later one is named.
    ChangeNamesLater,
    /// `change` remembers an event whose value is unknown.
    ChangeRemembersUnknown,
    /// `new` fires for the first value of a key.
    NewWithoutOther,
    /// `new` looks beyond the event.
    NewSeesLater,
    /// `idle` compares with this event too.
    IdleCountsItself,
    /// `idle` compares with the last `since` event that arrived, not with the newest.
    IdleByArrival,
    /// `after` does not see what came exactly W before.
    AfterExclusive,
    /// `after` leaves out refused events.
    AfterByAccepted,
    /// A unit's worth is that of the newest date that is known.
    UnitAtNewestDate,
    /// A unit's worth changes at midnight of UTC.
    UnitByUtcDate,
    /// N months are N times 30 days.
    MonthsAreThirtyDays,
    /// Of two instants with one local time, the second.
    AmbiguousTakesSecond,
    /// `lasts = "calendar day"` is 24 h.
    CalendarDayLastsADay,
    /// The score is not capped.
    ScoreNotCapped,
    /// A band begins above its figure.
    BandExclusive,
    /// The score of shadow rules is counted.
    ShadowScores,
    /// Shadow rules impose.
    ShadowImposes,
    /// A refused or blocked event imposes nothing.
    RefusedImposesNothing,
    /// `valid_until` itself is still valid.
    ValidUntilInclusive,
    /// Imposed again, it keeps its end though it renews.
    RenewsIgnored,
    /// Imposed again, every restriction takes the later end.
    RenewsAlways,
    /// Imposed again, it begins anew.
    SinceMoves,
    /// A restriction still stands at `until`.
    UntilInclusive,
    /// A restriction does not stand for events older than it.
    SinceBoundsBelow,
    /// `incoming` is not looked at.
    IncomingIgnored,
    /// A transfer to oneself is checked twice.
    SelfCheckedTwice,
    /// `confirms` is not looked at.
    ConfirmsIgnored,
    /// Cancelling confirms too.
    CancelConfirms,
    /// Only the rule that imposed first is confirmed.
    ConfirmsFirstRuleOnly,
    /// What ran out is listed as released.
    ExpiredAsReleased,
    /// What a signal cancelled is listed as released.
    CancelledAsReleased,
    /// A signal that comes after the end releases.
    LateSignalReleases,
    /// An operation is listed once one of its restrictions is gone.
    ListedAtFirstGone,
    /// A mapped IPv4 address is another address.
    MappedAddressDiffers,
    /// `client_status` is the one stated latest in event time.
    StatusByTime,
    /// An error on one side of `&&` or `||` is an error.
    ErrorNotAbsorbed,
    /// A list's entry holds at its expiry.
    ListExpiryInclusive,
}
