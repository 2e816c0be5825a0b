"""The index's tables.

Each event is a row of ``events`` and of one or more typed tables, under the
key ``at``: block number and log index in one integer. A batch is one event and
many rows of ``updates`` or ``votes``. Rows only come and go with their block, so
that taking back a block is one range of keys in each table; a row of a batch
whose site submits by itself moves to ``replaced``, and back with that block.
What stands now is asked for, never kept.
"""

from __future__ import annotations

import hashlib
import re

INDEX_BITS = 20
"""Bits of ``at`` that hold the log index."""
MAX_BLOCK = (1 << (63 - INDEX_BITS)) - 1
NOWHERE = -1

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE blocks (number INTEGER PRIMARY KEY, hash BLOB NOT NULL, time INTEGER NOT NULL);
CREATE INDEX blocks_hash ON blocks (hash);
CREATE INDEX blocks_time ON blocks (time);

CREATE TABLE events (at INTEGER PRIMARY KEY, kind INTEGER NOT NULL, tx BLOB NOT NULL,
    run INTEGER, round INTEGER, site INTEGER, dataset INTEGER, grant_id INTEGER, account TEXT);
CREATE INDEX events_tx ON events (tx);
CREATE INDEX events_run ON events (run) WHERE run IS NOT NULL;
CREATE INDEX events_site ON events (site) WHERE site IS NOT NULL;
CREATE INDEX events_dataset ON events (dataset) WHERE dataset IS NOT NULL;
CREATE INDEX events_account ON events (account COLLATE NOCASE) WHERE account IS NOT NULL;

CREATE TABLE applications (at INTEGER PRIMARY KEY, site INTEGER, name TEXT, metadata BLOB);
CREATE INDEX applications_site ON applications (site);
CREATE INDEX applications_metadata ON applications (metadata);
CREATE TABLE memberships (at INTEGER PRIMARY KEY, site INTEGER, standing INTEGER, roles INTEGER);
CREATE INDEX memberships_site ON memberships (site);
CREATE TABLE accounts (at INTEGER PRIMARY KEY, site INTEGER, account TEXT);
CREATE INDEX accounts_site ON accounts (site);
CREATE TABLE account_roles (at INTEGER PRIMARY KEY, site INTEGER, account TEXT, roles INTEGER);
CREATE TABLE site_keys (at INTEGER PRIMARY KEY, site INTEGER, encryption_key BLOB);
CREATE INDEX site_keys_site ON site_keys (site);
CREATE INDEX site_keys_key ON site_keys (encryption_key);
CREATE TABLE stores (at INTEGER PRIMARY KEY, site INTEGER, store_address TEXT);
CREATE INDEX stores_site ON stores (site);

CREATE TABLE datasets (at INTEGER PRIMARY KEY, dataset INTEGER, site INTEGER, description BLOB,
    data BLOB, examples INTEGER);
CREATE INDEX datasets_dataset ON datasets (dataset);
CREATE INDEX datasets_site ON datasets (site);
CREATE INDEX datasets_description ON datasets (description);
CREATE INDEX datasets_data ON datasets (data);
CREATE TABLE dataset_closures (at INTEGER PRIMARY KEY, dataset INTEGER);
CREATE INDEX dataset_closures_dataset ON dataset_closures (dataset);
CREATE TABLE requests (at INTEGER PRIMARY KEY, grant_id INTEGER, dataset INTEGER, researcher TEXT,
    purpose BLOB, purpose_locator BLOB);
CREATE INDEX requests_grant ON requests (grant_id);
CREATE INDEX requests_dataset ON requests (dataset);
CREATE INDEX requests_purpose ON requests (purpose);
CREATE INDEX requests_purpose_locator ON requests (purpose_locator);
CREATE TABLE decisions (at INTEGER PRIMARY KEY, grant_id INTEGER, dataset INTEGER, status INTEGER,
    terms BLOB, terms_locator BLOB, expiry INTEGER, reason BLOB);
CREATE INDEX decisions_grant ON decisions (grant_id);
CREATE INDEX decisions_terms ON decisions (terms) WHERE terms IS NOT NULL;
CREATE INDEX decisions_terms_locator ON decisions (terms_locator) WHERE terms_locator IS NOT NULL;

CREATE TABLE modules (at INTEGER PRIMARY KEY, module TEXT, approved INTEGER);
CREATE INDEX modules_module ON modules (module COLLATE NOCASE);
CREATE TABLE runs (at INTEGER PRIMARY KEY, run INTEGER, researcher TEXT, module TEXT, plan BLOB,
    plan_locator BLOB, initial_model BLOB, initial_model_locator BLOB, transferable INTEGER,
    parameters BLOB);
CREATE INDEX runs_run ON runs (run);
CREATE INDEX runs_plan ON runs (plan);
CREATE INDEX runs_plan_locator ON runs (plan_locator);
CREATE INDEX runs_model ON runs (initial_model);
CREATE INDEX runs_model_locator ON runs (initial_model_locator);
CREATE TABLE locators (at INTEGER PRIMARY KEY, commitment BLOB, site INTEGER, locator BLOB);
CREATE INDEX locators_commitment ON locators (commitment);
CREATE INDEX locators_locator ON locators (locator);

CREATE TABLE consents (at INTEGER PRIMARY KEY, run INTEGER, site INTEGER, grant_id INTEGER,
    position INTEGER, maximum_examples INTEGER, expiry INTEGER);
CREATE INDEX consents_run ON consents (run, site);
CREATE INDEX consents_site ON consents (site, run);
CREATE INDEX consents_grant ON consents (grant_id);
CREATE TABLE consent_ends (at INTEGER PRIMARY KEY, run INTEGER, site INTEGER, grant_id INTEGER);
CREATE INDEX consent_ends_run ON consent_ends (run, site);
CREATE TABLE attempts (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER, attempt INTEGER,
    cohort INTEGER, roster_length INTEGER, quorum INTEGER, deadline INTEGER);
CREATE INDEX attempts_run ON attempts (run, round, attempt);
CREATE TABLE updates (at INTEGER NOT NULL, run INTEGER, round INTEGER, attempt INTEGER,
    stage INTEGER, site INTEGER, commitment BLOB, weight INTEGER, locator BLOB, batcher INTEGER);
CREATE INDEX updates_at ON updates (at);
CREATE INDEX updates_run ON updates (run, round, attempt, at);
CREATE INDEX updates_of_run ON updates (run, at);
CREATE INDEX updates_of_site ON updates (site, at);
CREATE INDEX updates_batched ON updates (run) WHERE batcher IS NOT NULL;
CREATE INDEX updates_site ON updates (site, run, round, attempt, weight, at);
CREATE INDEX updates_commitment ON updates (commitment);
CREATE INDEX updates_locator ON updates (locator);
CREATE TABLE replaced (at INTEGER NOT NULL, was_at INTEGER, run INTEGER, round INTEGER,
    attempt INTEGER, stage INTEGER, site INTEGER, commitment BLOB, weight INTEGER, locator BLOB,
    batcher INTEGER);
CREATE INDEX replaced_at ON replaced (at);
CREATE TABLE closures (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER, attempt INTEGER,
    submitted INTEGER, deadline INTEGER);
CREATE TABLE proposals (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER, attempt INTEGER,
    proposal INTEGER, site INTEGER, credits_total INTEGER, record BLOB, record_locator BLOB,
    state BLOB, credits_root BLOB, deadline INTEGER, inclusion BLOB);
CREATE INDEX proposals_run ON proposals (run, round, attempt, proposal);
CREATE INDEX proposals_site ON proposals (site, run);
CREATE INDEX proposals_excluding ON proposals (run) WHERE inclusion != x'';
CREATE INDEX proposals_record ON proposals (record);
CREATE INDEX proposals_record_locator ON proposals (record_locator);
CREATE INDEX proposals_state ON proposals (state);
CREATE INDEX proposals_credits_root ON proposals (credits_root);
CREATE TABLE votes (at INTEGER NOT NULL, run INTEGER, round INTEGER, attempt INTEGER,
    proposal INTEGER, site INTEGER, agrees INTEGER, value BLOB);
CREATE INDEX votes_at ON votes (at);
CREATE INDEX votes_run ON votes (run, round, attempt, proposal, at);
CREATE INDEX votes_site ON votes (site, run, agrees);
CREATE INDEX votes_value ON votes (value);
CREATE TABLE proposal_ends (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER, attempt INTEGER,
    proposal INTEGER, deadline INTEGER);
CREATE INDEX proposal_ends_run ON proposal_ends (run, round, attempt, proposal);
CREATE TABLE finals (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER, attempt INTEGER,
    proposal INTEGER);
CREATE INDEX finals_run ON finals (run, round, attempt, proposal);
CREATE TABLE conclusions (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER, site INTEGER);
CREATE INDEX conclusions_run ON conclusions (run, round);
CREATE TABLE run_ends (at INTEGER PRIMARY KEY, run INTEGER, completed INTEGER);
CREATE INDEX run_ends_run ON run_ends (run);

CREATE TABLE claims (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER, site INTEGER,
    amount INTEGER, claimed INTEGER);
CREATE INDEX claims_run ON claims (run, site);
CREATE INDEX claims_site ON claims (site, run);
CREATE TABLE transfers (at INTEGER PRIMARY KEY, run INTEGER, from_site INTEGER, to_site INTEGER,
    amount INTEGER);
CREATE INDEX transfers_to ON transfers (to_site);

CREATE TABLE release_requests (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER,
    attempt INTEGER, site INTEGER, dataset INTEGER, request BLOB);
CREATE INDEX release_requests_run ON release_requests (run, at);
CREATE INDEX release_requests_site ON release_requests (site, at);
CREATE INDEX release_requests_dataset ON release_requests (dataset, at);
CREATE INDEX release_requests_request ON release_requests (request);
CREATE TABLE release_decisions (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER,
    attempt INTEGER, site INTEGER, dataset INTEGER, decision INTEGER, reason BLOB);
CREATE INDEX release_decisions_run ON release_decisions (run, dataset, round, attempt, at);
CREATE INDEX release_decisions_reason ON release_decisions (reason);
CREATE TABLE ceilings (at INTEGER PRIMARY KEY, dataset INTEGER, site INTEGER, epsilon INTEGER,
    delta INTEGER, grounds BLOB);
CREATE INDEX ceilings_dataset ON ceilings (dataset, at);
CREATE INDEX ceilings_grounds ON ceilings (grounds);
CREATE TABLE spendings (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER, site INTEGER,
    dataset INTEGER, epsilon INTEGER, delta INTEGER);
CREATE INDEX spendings_run ON spendings (run, at);
CREATE INDEX spendings_site ON spendings (site, at);
CREATE INDEX spendings_dataset ON spendings (dataset, run, at);
CREATE TABLE retentions (at INTEGER PRIMARY KEY, dataset INTEGER, site INTEGER, seconds INTEGER);
CREATE INDEX retentions_dataset ON retentions (dataset, at);
CREATE TABLE readers (at INTEGER PRIMARY KEY, reader INTEGER, run INTEGER, site INTEGER,
    account TEXT, encryption_key BLOB, letter BLOB, letter_locator BLOB);
CREATE INDEX readers_run ON readers (run, at);
CREATE INDEX readers_key ON readers (encryption_key);
CREATE INDEX readers_letter ON readers (letter);
CREATE INDEX readers_letter_locator ON readers (letter_locator);
CREATE TABLE reader_ends (at INTEGER PRIMARY KEY, reader INTEGER, run INTEGER, site INTEGER);
CREATE INDEX reader_ends_reader ON reader_ends (reader, at);
CREATE TABLE erasures (at INTEGER PRIMARY KEY, run INTEGER, site INTEGER, dataset INTEGER,
    blobs INTEGER, erased BLOB, grounds BLOB);
CREATE INDEX erasures_run ON erasures (run, at);
CREATE INDEX erasures_dataset ON erasures (dataset, at);
CREATE INDEX erasures_erased ON erasures (erased);
CREATE INDEX erasures_grounds ON erasures (grounds);

CREATE TABLE mask_keys (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER, attempt INTEGER,
    site INTEGER, mask_key BLOB, channel_key BLOB);
CREATE INDEX mask_keys_mask ON mask_keys (mask_key);
CREATE INDEX mask_keys_channel ON mask_keys (channel_key);
CREATE TABLE mask_shares (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER, attempt INTEGER,
    site INTEGER, commitment BLOB, locator BLOB, disclosed INTEGER);
CREATE INDEX mask_shares_commitment ON mask_shares (commitment);
CREATE INDEX mask_shares_locator ON mask_shares (locator);
CREATE TABLE mask_acts (at INTEGER PRIMARY KEY, run INTEGER, round INTEGER, attempt INTEGER,
    site INTEGER, number INTEGER, inclusion BLOB, act INTEGER);
CREATE INDEX mask_acts_attempt ON mask_acts (run, round, attempt, at);
"""

VERSION = hashlib.sha256(SCHEMA.encode()).hexdigest()
TABLES = tuple(re.findall(r"CREATE TABLE (\w+) \(at ", SCHEMA))
"""Tables whose rows stand for events."""


def first_of(block: int) -> int:
    """Return the lowest key that an event of the block can have."""
    return block << INDEX_BITS
