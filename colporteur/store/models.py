"""Every table, gathered for Django; look in the file of the noun."""

from colporteur.store.archive import Weight
from colporteur.store.arrivals import Arrival, Blob, Errand
from colporteur.store.bounces import UnmatchedReport
from colporteur.store.buckets import BucketRow, SlotsOut
from colporteur.store.campaigns import Campaign, CampaignAudience, CampaignFile, Picked
from colporteur.store.clock import Clock
from colporteur.store.credentials import Credential, RecoveryCode
from colporteur.store.destinations import DestinationGroup, MailDomain, Stream
from colporteur.store.digests import DigestEntry, DigestSeries, DigestWaiting
from colporteur.store.enrolments import Enrolment
from colporteur.store.health import Heartbeat
from colporteur.store.identities import Identity, IdentityProvider
from colporteur.store.imports import Imported
from colporteur.store.joining import JoinRequest
from colporteur.store.journal import JournalEntry
from colporteur.store.leaving import LeaveRequest
from colporteur.store.lists import Alias, List, Role
from colporteur.store.mailboxes import Collected, LeftBehind, Mailbox
from colporteur.store.mailings import Copy, CopyRow, Mailing, Refusal, Slice
from colporteur.store.memberships import FormerDelivery, Membership, Tally
from colporteur.store.nesting import Exclusion, Nesting, OnEvery, Passage
from colporteur.store.organisations import Administrator, Domain, Logo, Organisation, Site
from colporteur.store.people import Address, Person, SignInAttempt, SignInLink
from colporteur.store.posts import Finding, Post
from colporteur.store.preflight import LinkCheck, Trial
from colporteur.store.privacy import Consent, Opposition
from colporteur.store.requests import ListRequest
from colporteur.store.routes import RouteStep
from colporteur.store.segments import Attribute, Details, Segment
from colporteur.store.senders import AuthorPolicy
from colporteur.store.services import Hook, ServiceEvent, ServiceMessage
from colporteur.store.signing import SigningKey
from colporteur.store.sources import Source, SourceEntry
from colporteur.store.standing import AddressStanding, DeliveryEvent, StandingNews
from colporteur.store.templates import OwnTemplate
from colporteur.store.tracking import CampaignTotals, Hits, Link, NamedHit, TrackingConsent
from colporteur.store.transports import Transport
from colporteur.store.wordings import Wording

__all__ = [
    "Address", "AddressStanding", "Administrator", "Alias", "Arrival", "Attribute", "AuthorPolicy", "Blob", "BucketRow", "Campaign", "CampaignAudience", "CampaignFile", "CampaignTotals", "Clock", "Collected", "Consent", "Copy", "CopyRow", "Credential", "DeliveryEvent", "DestinationGroup", "Details", "DigestEntry", "DigestSeries", "DigestWaiting", "Domain", "Enrolment", "Errand", "Exclusion", "Finding", "FormerDelivery", "Heartbeat", "Hits", "Hook", "Identity", "IdentityProvider", "Imported", "JoinRequest", "JournalEntry", "LeaveRequest", "LeftBehind", "Link", "LinkCheck", "List", "ListRequest", "Logo", "MailDomain", "Mailbox", "Mailing",
    "Membership", "NamedHit", "Nesting", "OnEvery", "Opposition", "Organisation", "OwnTemplate", "Passage", "Person", "Picked", "Post", "RecoveryCode", "Refusal", "Role", "RouteStep", "Segment", "ServiceEvent", "ServiceMessage", "SignInAttempt", "SignInLink", "SigningKey", "Site", "Slice", "SlotsOut", "Source", "SourceEntry", "StandingNews", "Stream", "Tally", "TrackingConsent", "Transport", "Trial", "UnmatchedReport", "Weight", "Wording",
]
