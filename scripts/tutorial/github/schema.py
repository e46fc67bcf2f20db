"""The tables of the local GitHub. Times are seconds since 1970."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number INTEGER NOT NULL,
    workflow TEXT NOT NULL, file TEXT NOT NULL, source BLOB NOT NULL,
    event TEXT NOT NULL, payload TEXT NOT NULL,
    ref TEXT NOT NULL, sha TEXT NOT NULL, head_branch TEXT, head_sha TEXT NOT NULL,
    title TEXT NOT NULL,
    status TEXT NOT NULL, conclusion TEXT, problem TEXT,
    cancel INTEGER NOT NULL DEFAULT 0,
    level INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL, started REAL, finished REAL
);
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES runs, key TEXT NOT NULL, name TEXT NOT NULL,
    status TEXT NOT NULL, conclusion TEXT, problem TEXT, outputs TEXT NOT NULL DEFAULT '{}',
    started REAL, finished REAL
);
CREATE TABLE IF NOT EXISTS steps (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES jobs, number INTEGER NOT NULL, name TEXT NOT NULL,
    status TEXT NOT NULL, conclusion TEXT, started REAL, finished REAL
);
CREATE TABLE IF NOT EXISTS annotations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES jobs, step INTEGER NOT NULL, level TEXT NOT NULL,
    file TEXT, line INTEGER, title TEXT, message TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deployments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES runs, job INTEGER NOT NULL REFERENCES jobs,
    environment TEXT NOT NULL, url TEXT, sha TEXT NOT NULL, ref TEXT NOT NULL,
    state TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_of_run ON jobs (run);
CREATE INDEX IF NOT EXISTS steps_of_job ON steps (job);
CREATE TABLE IF NOT EXISTS artifacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES runs, name TEXT NOT NULL,
    size INTEGER NOT NULL, digest TEXT NOT NULL, created REAL NOT NULL,
    UNIQUE (run, name)
);
CREATE TABLE IF NOT EXISTS pulls (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- its number
    title TEXT NOT NULL, body TEXT NOT NULL, author TEXT NOT NULL,
    head_owner TEXT NOT NULL, head_ref TEXT NOT NULL, head_sha TEXT NOT NULL,
    base_ref TEXT NOT NULL, base_sha TEXT NOT NULL,
    state TEXT NOT NULL, -- open, closed
    mergeable INTEGER NOT NULL, -- 0 where base and head conflict
    merge_sha TEXT, -- the trial's; once merged, the commit on the base
    merging TEXT, -- the commit that is about to become the base's, and by whom
    merged REAL, merged_by TEXT,
    created REAL NOT NULL, updated REAL NOT NULL, closed REAL
);
CREATE TABLE IF NOT EXISTS labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pull INTEGER NOT NULL REFERENCES pulls, name TEXT NOT NULL COLLATE NOCASE,
    UNIQUE (pull, name)
);
CREATE TABLE IF NOT EXISTS reviews (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pull INTEGER NOT NULL REFERENCES pulls, author TEXT NOT NULL, may_write INTEGER NOT NULL,
    state TEXT NOT NULL, -- APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED
    body TEXT NOT NULL, sha TEXT NOT NULL, created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS comments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pull INTEGER NOT NULL REFERENCES pulls, author TEXT NOT NULL, body TEXT NOT NULL,
    created REAL NOT NULL, updated REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS statuses (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sha TEXT NOT NULL, context TEXT NOT NULL, state TEXT NOT NULL, description TEXT, url TEXT,
    author TEXT NOT NULL, created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS protections (
    id INTEGER PRIMARY KEY AUTOINCREMENT, branch TEXT NOT NULL UNIQUE, rule TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS apps (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL, client_id TEXT NOT NULL UNIQUE,
    public_key TEXT NOT NULL, permissions TEXT NOT NULL, created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL UNIQUE, -- SHA-256: the token itself is nowhere
    kind TEXT NOT NULL, -- app, job, person
    owner TEXT NOT NULL, -- the app's slug, the job's id, the person's login
    permissions TEXT NOT NULL, expires REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS runs_of_head ON runs (head_sha);
"""
TABLES = (
    *("runs", "jobs", "steps", "annotations", "deployments", "artifacts"),
    *("pulls", "labels", "reviews", "comments", "statuses", "protections", "apps", "tokens"),
)
