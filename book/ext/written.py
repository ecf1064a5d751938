"""A directive that writes Markdown, and has Sphinx read it as if it stood on the page."""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


class Written(SphinxDirective):
    def parse(self, lines):
        """The nodes of some lines of Markdown."""
        node = nodes.container()
        self.state.nested_parse(StringList(lines, self.name), 0, node)
        return node.children
