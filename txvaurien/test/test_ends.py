"""How the ends of a proxy are said, in options and in files that name files."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.net.ends import FILES, Ends, ends_of
from txvaurien.options import build, options_of, values_of
from txvaurien.settings.flags import OfProxy


class EndsTests(SynchronousTestCase):
    """`Ends`."""

    def test_defaults(self) -> None:
        """Plain at both ends; where TLS is spoken with the backend, it is verified."""
        ends = Ends()
        self.assertEqual((ends.tls, ends.accept_proxy, ends.send_proxy), (None, False, "off"))
        self.assertTrue(ends.backend_tls_verify)

    def test_side_by_side(self) -> None:
        """A proxy has each of them under the same name, with the same words and the same default."""
        beside = {option.attribute: option for option in options_of(OfProxy)}
        for option in options_of(Ends):
            self.assertEqual(beside[option.attribute], option)

    def test_of_options(self) -> None:
        """They are taken out of all the options of a proxy."""
        given = {"tls": "auto", "send_proxy": "v2", "backend_tls_verify": False}
        fields = build(OfProxy, given)
        self.assertEqual(ends_of(fields), Ends(tls="auto", send_proxy="v2", backend_tls_verify=False))

    def test_folder(self) -> None:
        """What names a file is relative to the folder; what does not stays."""
        said = build(Ends, {**dict.fromkeys(FILES, "x.pem"), "backend_tls_ca": "/abs.pem"})
        found = ends_of(said, "/etc")
        self.assertEqual(found.backend_tls_ca, "/abs.pem")
        self.assertEqual({getattr(found, name) for name in FILES} - {"/abs.pem"}, {"/etc/x.pem"})
        self.assertEqual(Ends(tls="auto").within("/etc"), Ends(tls="auto"))
        self.assertEqual(Ends(tls="x.pem").within(""), Ends(tls="x.pem"))

    def test_wrong(self) -> None:
        """A version of the PROXY protocol that there is not is refused."""
        error = self.assertRaises(ConfigError, build, Ends, {"send_proxy": "v3"}, where="--")
        self.assertIn("v1", str(error))

    def test_values(self) -> None:
        """They go to other processes as plain values, and come back."""
        ends = Ends(tls="a.pem", accept_proxy=True)
        self.assertEqual(Ends(**values_of(ends)), ends)
