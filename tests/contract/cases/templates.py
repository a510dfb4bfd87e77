"""Cases: whether templates are well-formed."""

from harness.registry import case


@case
def validate(c):
    path = "/templates/validate"
    for template in ("", "plain", "{{ flow_run.name }}", "{{ missing.deep.deeper }}", "{% for a in b %}{{ a }}{% endfor %}", "{{ a | unknown_filter }}"):
        c.post(path, template)
    c.post(path)
    for template in ("{{ bad", "one\ntwo {{ bad", "{% for a in b %}"):
        c.post(path, template, show=lambda body: {key: body["error"][key] for key in ("line", "source")})
    c.post(path, "{{ bad")
    loop = "{% for a in b %}{% endfor %}"
    nested = "{% for a in b %}" * 3 + "{% endfor %}" * 3
    for template in (loop * 10, loop * 11, nested, "{% raw %}" + nested + "{% endraw %}", "{# " + nested + " #}"):
        c.post(path, template)
    for body in (5, {"template": "x"}, ["x"], None):
        c.post(path, body, brief=True)
