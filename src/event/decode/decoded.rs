//! What a record says once nothing is wrong with it: places of texts and figures, of which an [`Event`] is made, or which are
//! [kept](super::Events::keep) as they are.
//!
//! An event is some 350 bytes. Who hands many of them to another thread keeps them, and what is handed from function to function
//! on the way there must not be an event: moving it, freshly written in small pieces, took a quarter of that thread's time.

use super::{Attributes, attributes::Entry, fields::Fields, known::Known, texts::Texts};
use crate::{event::Event, time::Timestamp};

/// A record that makes an event.
#[derive(Clone, Copy)]
pub struct Decoded<'a, 'f> {
    pub(super) fields: &'f Fields<'f>,
    pub(super) texts: Texts<'a>,
    pub(super) attributes: &'a [Entry],
}

impl<'a, 'f> Decoded<'a, 'f> {
    /// Of fields in which nothing is wrong.
    #[inline(always)]
    pub(super) fn new(fields: &'f Fields<'f>, texts: Texts<'a>, attributes: &'a [Entry]) -> Self {
        Decoded { fields, texts, attributes }
    }

    /// The event.
    #[inline(always)]
    #[must_use]
    pub fn event(&self) -> Event<'a> {
        let Decoded { fields, texts, attributes } = *self;
        Event {
            id: fields.always(Known::Id, texts),
            kind: fields.kind,
            time: fields.time,
            wallet: fields.always(Known::Wallet, texts),
            counterparty: fields.optional(Known::Counterparty, texts),
            merchant: fields.optional(Known::Merchant, texts),
            amount: fields.amount,
            currency: fields.currency,
            ip: fields.ip,
            country: fields.country,
            anonymous: fields.anonymous,
            client_status: fields.client_status,
            balance: fields.balance,
            device: fields.optional(Known::Device, texts),
            channel: fields.optional(Known::Channel, texts),
            cause: fields.optional(Known::Cause, texts),
            method: fields.optional(Known::Method, texts),
            attributes: Attributes::new(texts, attributes),
        }
    }

    /// When it happened.
    #[inline]
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.fields.time
    }

    /// Whose it is.
    #[inline]
    #[must_use]
    pub fn wallet(&self) -> &'a str {
        self.fields.always(Known::Wallet, self.texts)
    }
}
