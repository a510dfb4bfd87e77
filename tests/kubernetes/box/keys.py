"""Certificates, the key of service accounts, static tokens and kubeconfigs of a cluster; made once, by openssl."""

import base64
import os
import secrets
import subprocess

from paths import API_PORT, API_SERVICE, KEYS, NODE, STATE

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
NAMES = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
# Kubeconfig, user and group. The names of users are those that the bootstrap roles are bound to.
USERS = [
    ("admin", "admin", "system:masters"),
    ("controller-manager", "system:kube-controller-manager", ""),
    ("scheduler", "system:kube-scheduler", ""),
    ("kubelet", f"system:node:{NODE}", "system:nodes"),
]


def make() -> None:
    if (KEYS / "tokens.csv").exists():
        return
    KEYS.mkdir(parents=True, exist_ok=True, mode=0o700)
    openssl("req", "-x509", *EC, "-days", "3650", "-subj", "/CN=kubernetes-box", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "ca.key", "-out", "ca.crt")
    names = [f"DNS:{name}" for name in NAMES] + ["IP:127.0.0.1", f"IP:{API_SERVICE}"]
    certificate("server", "/CN=kubernetes-box", "subjectAltName=" + ",".join(names))
    certificate("apiserver-kubelet", "/O=system:masters/CN=apiserver-kubelet", "extendedKeyUsage=clientAuth")
    openssl("genrsa", "-out", "service-accounts.key", "2048")
    openssl("rsa", "-in", "service-accounts.key", "-pubout", "-out", "service-accounts.pub")
    tokens = {user: secrets.token_hex(24) for _, user, _ in USERS}
    for name, user, _ in USERS:
        kubeconfig(name, tokens[user])
    # Last: a folder with tokens is complete.
    (KEYS / "tokens.csv").write_text("".join(f'{tokens[user]},{user},{user},"{group}"\n' for _, user, group in USERS))


def certificate(name: str, subject: str, extensions: str) -> None:
    openssl("req", *EC, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.request", "-new")
    openssl("x509", "-req", "-in", f"{name}.request", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650",
            "-extfile", "/dev/stdin", "-out", f"{name}.crt", text=extensions + "\n")
    (KEYS / f"{name}.request").unlink()


def openssl(*words: str, text: str = "") -> None:
    subprocess.run(["openssl", *words], cwd=KEYS, input=text.encode(), check=True, stderr=subprocess.DEVNULL, umask=0o077)


def kubeconfig(name: str, token: str) -> None:
    authority = base64.b64encode((KEYS / "ca.crt").read_bytes()).decode()
    text = f"""apiVersion: v1
kind: Config
clusters: [{{name: box, cluster: {{server: "https://127.0.0.1:{API_PORT}", certificate-authority-data: {authority}}}}}]
users: [{{name: {name}, user: {{token: "{token}"}}}}]
contexts: [{{name: box, context: {{cluster: box, user: {name}}}}}]
current-context: box
"""
    path = STATE / f"{name}.kubeconfig"
    path.touch(mode=0o600)
    os.chmod(path, 0o600)
    path.write_text(text)
