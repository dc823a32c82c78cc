"""A small site of WordPress, as its exports and a dump of its users would have it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

ADDRESS = "https://blog.example.org"
MADE = "Mon, 02 Nov 2026 10:00:00 +0000"
_HEAD = """\
<?xml version="1.0" encoding="UTF-8" ?>
<!-- generator="WordPress/6.8" created="2026-11-02 10:00" -->
<rss version="2.0"
\txmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"
\txmlns:content="http://purl.org/rss/1.0/modules/content/"
\txmlns:dc="http://purl.org/dc/elements/1.1/"
\txmlns:wp="http://wordpress.org/export/1.2/">
<channel>
\t<title>Kin &amp; Care</title>
\t<link>{address}</link>
\t<pubDate>{made}</pubDate>
\t<wp:wxr_version>1.2</wp:wxr_version>
\t<wp:base_site_url>{address}</wp:base_site_url>
\t<wp:base_blog_url>{address}</wp:base_blog_url>
\t<wp:author><wp:author_id>2</wp:author_id><wp:author_login><![CDATA[suzie]]></wp:author_login>\
<wp:author_email><![CDATA[suzie@example.org]]></wp:author_email>\
<wp:author_display_name><![CDATA[Suzie]]></wp:author_display_name></wp:author>
\t<generator>https://wordpress.org/?v=6.8</generator>
"""


@dataclass(frozen=True)
class Comment:
    """A comment as it stands in an export."""

    old: int | str
    said: str
    name: str = "Reader 7"
    email: str = "reader@example.org"
    at: str = "2026-10-02 09:00:00"
    gmt: str | None = None
    approved: str = "1"
    kind: str = "comment"
    parent: int = 0
    user: int = 0
    meta: str = "akismet"

    def __str__(self) -> str:
        return (
            f"<wp:comment><wp:comment_id>{self.old}</wp:comment_id>"
            f"<wp:comment_author>{_cdata(self.name)}</wp:comment_author>"
            f"<wp:comment_author_email>{self.email}</wp:comment_author_email>"
            "<wp:comment_author_url>https://spam.example/</wp:comment_author_url>"
            "<wp:comment_author_IP>203.0.113.77</wp:comment_author_IP>"
            f"<wp:comment_date>{self.at}</wp:comment_date>"
            f"<wp:comment_date_gmt>{self.at if self.gmt is None else self.gmt}</wp:comment_date_gmt>"
            f"<wp:comment_content>{_cdata(self.said)}</wp:comment_content>"
            f"<wp:comment_approved>{self.approved}</wp:comment_approved>"
            f"<wp:comment_type>{self.kind}</wp:comment_type><wp:comment_parent>{self.parent}</wp:comment_parent>"
            f"<wp:comment_user_id>{self.user}</wp:comment_user_id>"
            f"<wp:commentmeta><wp:meta_key>{self.meta}</wp:meta_key><wp:meta_value>x</wp:meta_value></wp:commentmeta>"
            "</wp:comment>"
        )


@dataclass(frozen=True)
class Article:
    """An article, or something else, as it stands in an export."""

    old: int
    title: str
    said: str = "Words."
    comments: Sequence[Comment] = ()
    by: str = "suzie"
    at: str = "2026-10-01 09:00:00"
    gmt: str | None = None
    status: str = "publish"
    kind: str = "post"
    password: str = ""
    open: str = "open"
    sticky: int = 0
    slug: str = ""
    meta: tuple[str, str] = ("_edit_last", "1")

    def __str__(self) -> str:
        return (
            f"<item><title>{escape(self.title)}</title><link>{ADDRESS}/2026/10/{self.slug or self.old}/</link>"
            f"<dc:creator>{_cdata(self.by)}</dc:creator><description></description>"
            f"<content:encoded>{_cdata(self.said)}</content:encoded>"
            "<excerpt:encoded><![CDATA[Not this.]]></excerpt:encoded>"
            f"<wp:post_id>{self.old}</wp:post_id><wp:post_date>{self.at}</wp:post_date>"
            f"<wp:post_date_gmt>{self.at if self.gmt is None else self.gmt}</wp:post_date_gmt>"
            f"<wp:comment_status>{self.open}</wp:comment_status><wp:post_name>{_cdata(self.slug)}</wp:post_name>"
            f"<wp:status>{self.status}</wp:status>"
            f"<wp:post_type>{self.kind}</wp:post_type><wp:post_password>{_cdata(self.password)}</wp:post_password>"
            f"<wp:is_sticky>{self.sticky}</wp:is_sticky><wp:postmeta><wp:meta_key>{_cdata(self.meta[0])}</wp:meta_key>"
            f"<wp:meta_value>{_cdata(self.meta[1])}</wp:meta_value></wp:postmeta>"
            f"{''.join(map(str, self.comments))}</item>\n"
        )


def export(*articles: Article, made: str = MADE, address: str = ADDRESS) -> str:
    """Return an export, as a file has it."""
    return _HEAD.format(made=made, address=address) + "".join(map(str, articles)) + "</channel>\n</rss>\n"


def users(folder: Path, *rows: Sequence[str | int]) -> Path:
    """Write a dump of users: ID, login, password, address, name, role."""
    values = ",\n".join(
        f"({old},'{login}','{password}','{login}','{email}','','2015-01-02 03:04:05','',0,'{name}')"
        for old, login, password, email, name, _ in rows
    )
    meta = ",\n".join(
        f"""({n},{row[0]},'wp_capabilities','a:1:{{s:{len(str(row[5]))}:\\"{row[5]}\\";b:1;}}')"""
        for n, row in enumerate(rows, 1)
    )
    path = folder / "users.sql"
    path.write_text(
        "CREATE TABLE `wp_users` (`ID` bigint, `user_login` varchar(60), `user_pass` varchar(255), "
        "`user_nicename` varchar(50), `user_email` varchar(100), `user_url` varchar(100), `user_registered` datetime, "
        "`user_activation_key` varchar(255), `user_status` int, `display_name` varchar(250));\n"
        f"INSERT INTO `wp_users` VALUES {values};\n"
        "CREATE TABLE `wp_usermeta` (`umeta_id` bigint, `user_id` bigint, `meta_key` varchar(255), "
        f"`meta_value` longtext);\nINSERT INTO `wp_usermeta` VALUES {meta};\n",
        "utf-8",
    )
    return path


def _cdata(text: str) -> str:
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"
