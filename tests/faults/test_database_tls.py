"""PostgreSQL that speaks TLS only: which certificates the server believes, and that it says why it does not start."""

import datetime
import ipaddress
import os
import shutil
import subprocess

import pytest
from conftest import Server, binary
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def certificate(folder, name, signer=None, host=None):
    """Writes NAME.pem and NAME.key; without a signer it is an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    issuer, signing_key = (signer[0].subject, signer[1]) if signer else (subject, key)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - DAY).not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
    )
    if host:
        names = x509.SubjectAlternativeName([host])
        builder = builder.add_extension(names, critical=False)
    made = builder.sign(signing_key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))
    return made, key


@pytest.fixture
def encrypted(own_postgres, tmp_path):
    """The folder with the certificates, and a database that refuses whoever does not speak TLS."""
    ours, theirs = certificate(tmp_path, "authority"), certificate(tmp_path, "stranger")
    certificate(tmp_path, "database", ours, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    certificate(tmp_path, "tidegate", ours)
    certificate(tmp_path, "intruder", theirs)
    data = own_postgres.folder / "data"
    for file, target in [("database.pem", "server.crt"), ("database.key", "server.key"), ("authority.pem", "root.crt")]:
        shutil.copy(tmp_path / file, data / target)
        (data / target).chmod(0o600)
        if os.getuid() == 0:
            shutil.chown(data / target, "postgres")
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write("ssl = on\nssl_ca_file = 'root.crt'\n")
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
    own_postgres.restart()
    return tmp_path, own_postgres.url


def starts(folder, url, **settings):
    home = folder / "home"
    home.mkdir(exist_ok=True)
    server = Server(home, url, **settings).start()
    try:
        return server.flow()["id"]
    finally:
        server.kill()


def refusal(folder, url, **settings):
    """What the server says when it does not start."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "TIDEGATE_"))}
    command = [binary(), "server", "start", "--host", "127.0.0.1", "--port", "0", "--database-url", url]
    environment = {**clean, "TIDEGATE_HOME": str(folder / "refused"), **settings}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


def test_urls_as_users_of_asyncpg_and_libpq_write_them(encrypted):
    folder, url = encrypted
    asyncpg = url.replace("postgresql://", "postgresql+asyncpg://")
    roots = f"sslrootcert={folder / 'authority.pem'}"
    assert starts(folder, asyncpg)
    assert starts(folder, f"{asyncpg}?ssl=require")
    assert starts(folder, f"{url}?sslmode=verify-full&{roots}")
    assert "hostssl" in (refused := refusal(folder, f"{url}?sslmode=disable")) or "no encryption" in refused


def test_a_certificate_that_proves_nothing_is_refused(encrypted):
    folder, url = encrypted
    stranger = f"sslrootcert={folder / 'stranger.pem'}"
    for query in (f"ssl=verify-full&{stranger}", f"sslmode=verify-ca&{stranger}", f"sslmode=require&{stranger}", "ssl=verify-full"):
        assert "certificate" in refusal(folder, f"{url}?{query}"), query
    # The database's certificate names an address; verify-ca does not ask for the name, verify-full does.
    named = url.replace("127.0.0.1", "localhost")
    roots = f"sslrootcert={folder / 'authority.pem'}"
    assert starts(folder, f"{named}?sslmode=verify-ca&{roots}")
    assert "certificate" in refusal(folder, f"{named}?sslmode=verify-full&{roots}")
    assert "nothing.pem" in refusal(folder, f"{url}?sslmode=verify-full&sslrootcert={folder / 'nothing.pem'}")


def test_certificates_of_clients_from_the_settings(encrypted):
    folder, url = encrypted
    (data := folder / "settings").mkdir()
    prefix = "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_"
    settings = {prefix + "ENABLED": "true", prefix + "CA_FILE": str(folder / "authority.pem")}

    def with_certificate(name):
        return {**settings, prefix + "CERT_FILE": str(folder / f"{name}.pem"), prefix + "KEY_FILE": str(folder / f"{name}.key")}

    assert starts(folder, url, **with_certificate("tidegate"))
    assert refusal(data, url, **with_certificate("intruder"))
    stranger = {**settings, prefix + "CA_FILE": str(folder / "stranger.pem")}
    assert "certificate" in refusal(data, url, **stranger)
    named = url.replace("127.0.0.1", "localhost")
    assert "certificate" in refusal(data, named, **settings)
    assert starts(folder, named, **settings, **{prefix + "CHECK_HOSTNAME": "false"})
