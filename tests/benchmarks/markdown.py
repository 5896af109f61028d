"""Tables in Markdown, what stands above them, and the page that they are written into."""

import re

from tests.benchmarks import environment

MARKED = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)


def page(text, generated):
    """The text of a page with what is generated between its marks."""
    if not MARKED.search(text):
        raise ValueError("the page has no part <!-- results --> ... <!-- /results -->")
    return MARKED.sub(lambda found: f"{found[1]}\n{generated}\n\n{found[2]}", text)


def about(packages, command):
    """Date, machine, versions and command, as a list."""
    lines = [*environment.description(packages), f"Command: `{command}`."]
    return "\n".join(f"- {each}" for each in lines)


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plural(threads):
    """A number of threads, in words."""
    return f"{threads} thread{'s' * (threads > 1)}"
