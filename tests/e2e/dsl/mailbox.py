"""mailbox.py PORT FOLDER: a server of mails, by aiosmtpd, that keeps what it takes in FOLDER.

With tls.crt and tls.key in FOLDER it takes nothing before STARTTLS and the login mfa with the
password in FOLDER/password. Who is called refused... has no mailbox; who is called later... is
put off the first time.
"""

import asyncio
import email
import email.policy
import json
import logging
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

# Whoever does not trust it hangs up; that is no news.
logging.disable(logging.ERROR)
port, folder = int(sys.argv[1]), sys.argv[2]


def place(name):
    return os.path.join(folder, name)


class Keep:
    def __init__(self):
        self.put_off = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return f"550 5.1.1 <{address}> nobody of that name"
        if address.startswith("later") and address not in self.put_off:
            self.put_off.add(address)
            return f"450 4.2.0 <{address}> come back later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        kept = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "secure": session.ssl is not None,
            "authenticated": bool(session.authenticated),
            "headers": [[name.lower(), str(value)] for name, value in mail.items()],
            "text": mail.get_content(),
            "raw": envelope.original_content.decode("ascii"),
        }
        number = len(os.listdir(place("mails")))
        with open(place("mail.new"), "w") as file:
            json.dump(kept, file)
        os.rename(place("mail.new"), place(f"mails/{number:04}.json"))
        return "250 2.0.0 OK"


def guarded():
    if not os.path.exists(place("tls.crt")):
        return {}
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(place("tls.crt"), place("tls.key"))
    with open(place("password"), "rb") as file:
        password = file.read()

    def known(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"mfa", password))

    return {
        "tls_context": context,
        "require_starttls": True,
        "auth_required": True,
        "authenticator": known,
    }


async def serve():
    keep = Keep()
    more = guarded()
    protocol = lambda: SMTP(keep, hostname="mail.test", **more)
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(serve())
