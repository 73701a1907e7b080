"""A mail server for one test. Prints its port, and then each mail as a line of JSON. Ends with its standard input.

usage: smtp_server.py PORT (plain | starttls | tls) [CERTIFICATE KEY]
"""

import base64
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult


class Printer:
    async def handle_DATA(self, server, session, envelope):
        for recipient in envelope.rcpt_tos:
            if recipient.startswith("unknown@"):
                return "550 5.1.1 no such mailbox"
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "data": base64.b64encode(envelope.original_content).decode(),
            "encrypted": session.ssl is not None or bool(getattr(server.transport, "get_extra_info", lambda _: None)("sslcontext")),
            "login": getattr(session, "login", None),
        }
        print(json.dumps(mail), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    session.login = data.login.decode()
    return AuthResult(success=data.password == b"shuttle:race")


class Server(Controller):
    def __init__(self, port, mode, context):
        self.mode, self.context = mode, context
        super().__init__(Printer(), hostname="127.0.0.1", port=port, ssl_context=context if mode == "tls" else None)

    def factory(self):
        starttls = self.context if self.mode == "starttls" else None
        return SMTP(
            self.handler, tls_context=starttls, require_starttls=starttls is not None, authenticator=authenticate,
            auth_require_tls=self.mode == "starttls",
        )


port, mode = int(sys.argv[1]), sys.argv[2]
context = None
if mode != "plain":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
server = Server(port, mode, context)
server.start()
print(port, flush=True)
sys.stdin.read()
server.stop()
