//! Settings of the database behind the server: which one, and how patient to be with it.

use super::Fallback::{Derived, Is, Unset};

super::settings! {
    /// `sqlite:///path` or `postgresql://user:password@host:port/name`; the reference's spellings with a Python driver
    /// (`sqlite+aiosqlite:`, `postgresql+asyncpg:`) mean the same.
    CONNECTION_URL = Secret "server.database.connection_url"
        Derived("from the parts below, else `sqlite:///$TIDEGATE_HOME/tidegate.db`"), Server Both
        also "PREFECT_API_DATABASE_CONNECTION_URL";
    /// `postgresql+asyncpg` or `sqlite+aiosqlite`, when the address is given in parts.
    DRIVER = Text "server.database.driver" Unset, Server Both also "PREFECT_API_DATABASE_DRIVER";
    /// Host of the database.
    HOST = Text "server.database.host" Unset, Server Both also "PREFECT_API_DATABASE_HOST";
    /// Port of the database.
    PORT = Integer "server.database.port" Unset, Server Both also "PREFECT_API_DATABASE_PORT";
    /// User of the database.
    USER = Text "server.database.user" Unset, Server Both also "PREFECT_API_DATABASE_USER";
    /// Name of the database, or the path of the SQLite file.
    NAME = Text "server.database.name" Unset, Server Both also "PREFECT_API_DATABASE_NAME";
    /// Password of the user.
    PASSWORD = Secret "server.database.password" Unset, Server Both also "PREFECT_API_DATABASE_PASSWORD";
    /// Bring the schema up to date at start.
    MIGRATE_ON_START = Flag "server.database.migrate_on_start" Is("true"), Server Both
        also "PREFECT_API_DATABASE_MIGRATE_ON_START";
    /// How long a statement may take on PostgreSQL.
    TIMEOUT = Seconds "server.database.timeout" Is("10"), Server Both also "PREFECT_API_DATABASE_TIMEOUT";
    /// How long connecting to PostgreSQL may take.
    CONNECTION_TIMEOUT = Seconds "server.database.connection_timeout" Is("5"), Server Both
        also "PREFECT_API_DATABASE_CONNECTION_TIMEOUT";
    /// Name that connections carry in PostgreSQL's own views.
    APPLICATION_NAME = Text "server.database.sqlalchemy.connect_args.application_name" Unset, Server Both;
    /// PostgreSQL schema that the tables live in.
    SEARCH_PATH = Text "server.database.sqlalchemy.connect_args.search_path" Unset, Server Both;
    /// Speak TLS with PostgreSQL and check its certificate, unless the URL says how (`ssl` or `sslmode`).
    TLS_ENABLED = Flag "server.database.sqlalchemy.connect_args.tls.enabled" Is("false"), Server Both;
    /// Authorities that may sign PostgreSQL's certificate, in PEM form; the system's without it.
    TLS_CA_FILE = Text "server.database.sqlalchemy.connect_args.tls.ca_file" Unset, Server Both;
    /// The server's own certificate towards PostgreSQL, in PEM form.
    TLS_CERT_FILE = Text "server.database.sqlalchemy.connect_args.tls.cert_file" Unset, Server Both;
    /// The key to that certificate, in PEM form.
    TLS_KEY_FILE = Text "server.database.sqlalchemy.connect_args.tls.key_file" Unset, Server Both;
    /// PostgreSQL's certificate must name the host that was asked for.
    TLS_CHECK_HOSTNAME = Flag "server.database.sqlalchemy.connect_args.tls.check_hostname" Is("true"), Server Both;
}
