"""The settings: environment variables become one frozen object."""

import re
from datetime import date
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from email_validator import EmailNotValidError, validate_email
from limits import RateLimitItem, parse, parse_many
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from forum.core import contrast
from forum.core.weekly_hours import known_zones

NOBODY = "no-reply@forum.test"  # the sender while mails are only written to a folder
POSTGRESQL_PORT = 5432
FIRST_POSTS_MAX = 100  # counting stops here, so that a prolific author's post costs no more
# All kinds of reactions to a post; `content/reactions/tables.py` says what they mean.
REACTIONS = ("thank", "hug", "helpful", "same_here")
# Those that every PostgreSQL from 15 on knows.
SEARCH_LANGUAGES = (
    *("simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french"),
    *("german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian"),
    *("portuguese", "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish", "yiddish"),
)
# What the accent stands on, and what stands on it, as house.css has them: paper, cards, the words of a button.
LIGHT_GROUNDS, DARK_GROUNDS = ("#f5f1e8", "#fffdf8"), ("#12191b", "#1a2325", "#0f1617")


def _check_limit(notation: str) -> str:
    if len(parse_many(notation)) != 1:
        raise ValueError("it must be one limit")
    return notation


def _postgresql(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise ValueError("it must begin with postgresql://")
    # PostgreSQL's own programs call it `sslmode`; asyncpg takes the same values as `ssl`.
    return "postgresql+asyncpg://" + re.sub(r"(?<=[?&])sslmode=", "ssl=", _spread_hosts(rest))


def _spread_hosts(rest: str) -> str:
    """Return what follows `postgresql://` with several hosts as SQLAlchemy reads them, after the question mark.

    PostgreSQL's programs write `USER@HOST:PORT,HOST:PORT/NAME`. Of several, the forum wants the one that takes writes.
    """
    address, _, query = rest.partition("?")
    server, slash, name = address.partition("/")
    user, at, hosts = server.rpartition("@")
    asked = parse_qs(query)
    if "," in hosts:
        if "host" in asked or "port" in asked:
            raise ValueError("hosts and ports stand before the name of the database, or after the '?', not both")
        places = [urlsplit(f"//{place}") for place in hosts.split(",")]
        if not all(place.hostname for place in places):
            raise ValueError("each of several hosts needs a name, as in postgresql://forum@one,two/forum")
        names = ",".join(str(place.hostname) for place in places)
        ports = ",".join(str(place.port or POSTGRESQL_PORT) for place in places)
        query = "&".join([f"host={names}&port={ports}", *filter(None, [query])])
    elif not any("," in host for host in asked.get("host", [])):
        return rest
    elif "port" not in asked:
        query += "&port=" + ",".join([str(POSTGRESQL_PORT)] * (asked["host"][0].count(",") + 1))
    if "target_session_attrs" not in asked:
        query += "&target_session_attrs=primary"
    return f"{user}{at}{slash}{name}?{query}"


def _smtp(url: str, others: ValidationInfo) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("it must be smtp://HOST or smtps://HOST, with USER:PASSWORD@ and :PORT as needed")
    if parts.query and (parts.scheme, parse_qs(parts.query)) != ("smtp", {"tls": ["off"]}):
        raise ValueError("after '?' there can be only tls=off, for smtp://")
    _ = parts.port  # raises ValueError when it is none
    if others.data.get("mail_from") == NOBODY:
        raise ValueError("mails need a sender too: set FORUM_MAIL_FROM first")
    return url


def _address(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise ValueError("it must be an e-mail address and nothing else") from error


def _site(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or len(url) > 200:
        raise ValueError("it must be https:// and a host, perhaps with a path")
    _ = parts.port  # raises ValueError when it is none
    return url.rstrip("/")


def _split_at_commas(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _languages(codes: tuple[str, ...]) -> tuple[str, ...]:
    if not codes or not set(codes) <= {"en", "cy"} or len(set(codes)) != len(codes):
        raise ValueError("the languages are en and cy, each at most once")
    return codes


def _reactions(kinds: tuple[str, ...]) -> tuple[str, ...]:
    if kinds == ("none",):
        return ()
    if not set(kinds) <= set(REACTIONS) or len(set(kinds)) != len(kinds):
        raise ValueError(f"the reactions are {', '.join(REACTIONS)}, each at most once; or none")
    return kinds


def _accent(grounds: tuple[str, ...]) -> AfterValidator:
    def check(colour: str) -> str:
        colour = colour.lower()
        if not contrast.COLOUR.fullmatch(colour):
            raise ValueError("a colour is # and six digits, such as #1f4e4f")
        for ground in grounds:
            if (found := contrast.ratio(colour, ground)) < contrast.READABLE:
                shown = int(found * 100) / 100  # not rounded up to what would do
                raise ValueError(f"its contrast with {ground} is {shown} to 1, and readers need {contrast.READABLE}")
        return colour

    return AfterValidator(check)


def _time_zone(name: str) -> str:
    if name not in known_zones():
        raise ValueError("it must be a name of the IANA time zone database, such as Europe/London")
    return name


def _search_language(name: str) -> str:
    if name not in SEARCH_LANGUAGES:
        raise ValueError(f"the languages are {', '.join(SEARCH_LANGUAGES)}")
    return name


def _network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError("a proxy is an internet address or a network like 10.0.0.0/8") from error
    if network.prefixlen == 0:
        raise ValueError("to trust every address would let anybody give a false one")
    return str(network)


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@*]+", text):
        raise ValueError("an origin is https:// and a host, without a path and without '*'")
    return text.lower()


def _app(text: str) -> str:
    # SHA-256 in base64url: 32 bytes.
    if not re.fullmatch(r"android:apk-key-hash:[A-Za-z0-9_-]{43}", text):
        raise ValueError("an app's origin is android:apk-key-hash: and 43 letters, digits, '-' or '_'")
    return text


# The notation of the `limits` library: "10/5 minutes", "1/5 seconds".
Limit = Annotated[str, AfterValidator(_check_limit)]
Origins = frozenset[Annotated[str, AfterValidator(_origin)]]
Networks = frozenset[Annotated[str, AfterValidator(_network)]]
AppOrigins = frozenset[Annotated[str, AfterValidator(_app)]]


class Settings(BaseSettings):
    """The settings of one forum, each read from `FORUM_` and its name in capitals.

    The limits are defaults that a charity may change.
    """

    model_config = SettingsConfigDict(
        env_prefix="FORUM_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,  # the URL of a database has a password in it
    )

    name: str = Field("Peer support forum", description="The forum's name, also the title of the API")
    pages: bool = Field(True, description="Whether the forum has pages at `/`; off, it serves the API alone")
    charity: str | None = Field(None, max_length=100, description="The charity that runs the forum, named on each page")
    languages: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_at_commas), AfterValidator(_languages)] = (
        Field(("en", "cy"), description="Languages of the pages, the usual one first, separated by commas: en, cy")
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        "Europe/London", description="Time zone in which pages tell times"
    )
    neutral_site: Annotated[str, AfterValidator(_site)] = Field(
        "https://www.bbc.co.uk/weather", description="Where somebody arrives who leaves the pages at once"
    )
    texts: Path | None = Field(
        None, description="Folder with the charity's own texts of pages, and its mark; see `forum pages`"
    )
    accent: Annotated[str, _accent(LIGHT_GROUNDS)] | None = Field(
        None, description="Colour of buttons on light pages, such as #1f4e4f"
    )
    accent_dark: Annotated[str, _accent(DARK_GROUNDS)] | None = Field(
        None, description="Colour of buttons on dark pages, such as #9ad6cf"
    )
    app_name: str | None = Field(
        None,
        max_length=30,
        description="A name that tells nobody what the forum is about: for neutral titles, and on a phone's first "
        "screen; without it, the forum cannot be put there",
    )
    data: Path = Field(Path("var"), description="Folder of the embedded PostgreSQL, and of mails")
    database_url: Annotated[str, AfterValidator(_postgresql)] | None = Field(
        None, description="postgresql://… of your own server, 15 or newer; without it, the embedded one"
    )
    direct_database_url: Annotated[str, AfterValidator(_postgresql)] | None = Field(
        None, description="The same database past a pooler such as PgBouncer: for what listens, migrates and backs up"
    )
    pool_size: int = Field(
        10, ge=1, le=200, description="Database connections of each process: so many for reads, and as many for writes"
    )
    page_cache: int = Field(
        16,
        ge=0,
        le=4096,
        description="Megabytes in each process for answers that all readers share; 0: none",
    )
    secret_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="A secret of at least 32 characters, the same on every machine of one forum; without it, one is "
        "made in FORUM_DATA",
    )
    backup_dir: Path | None = Field(
        None,
        description="Folder for a backup each night; once a week, one is restored elsewhere to try it",
    )
    backups_kept: int = Field(14, ge=1, le=10_000, description="How many nightly backups are kept at most")
    backup_days: int = Field(30, ge=1, le=10_000, description="Days after which a nightly backup is deleted")
    metrics: Literal["off", "loopback"] = Field(
        "off", description="Whether `/metrics` answers who asks from the same machine, past any proxy: off or loopback"
    )
    metrics_token: SecretStr | None = Field(
        None, min_length=32, description="With it as bearer token, `/metrics` answers: at least 32 characters"
    )
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on")
    connection_limit: int = Field(
        1000, ge=10, le=100_000, description="Open connections of each process; over it, one that waits is closed"
    )
    trusted_proxies: Annotated[Networks, NoDecode, BeforeValidator(_split_at_commas)] = Field(
        frozenset({"127.0.0.1/32"}),
        description="Addresses and networks whose X-Forwarded-For is believed, separated by commas",
    )
    allowed_origins: Annotated[Origins, NoDecode, BeforeValidator(_split_at_commas)] = Field(
        frozenset(),
        description="Origins of other sites whose pages may call the API and show /embed/…, separated by commas",
    )
    passkey_origins: Annotated[AppOrigins, NoDecode, BeforeValidator(_split_at_commas)] = Field(
        frozenset(),
        description="Mobile apps that may use passkeys, separated by commas: android:apk-key-hash:… of the signing key",
    )
    public_url: Annotated[str, AfterValidator(_site)] = Field(
        "http://127.0.0.1:8000", description="Where members find the forum's pages; mails link there"
    )
    mail_from: Annotated[str, AfterValidator(_address)] = Field(
        NOBODY, description="The sender of mails: an address that does not say what the forum is about"
    )
    smtp_url: Annotated[str, AfterValidator(_smtp)] | None = Field(
        None,
        description="smtp://USER:PASSWORD@HOST:PORT (with STARTTLS) or smtps://…; without it, mails are written to "
        "the folder `mailbox` below FORUM_DATA",
    )
    breached_passwords_url: Annotated[str, AfterValidator(_site)] | None = Field(
        None, description="A service that knows stolen passwords; without it, new passwords are not checked there"
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    requests_at_once: int = Field(
        50, ge=1, le=10_000, description="Requests of one address that each process answers at the same time"
    )
    streams_per_member: int = Field(
        5, ge=1, le=100, description="Pages of one member that listen for news at the same time, of each process"
    )
    streams_per_address: int = Field(
        20, ge=1, le=10_000, description="The same of one address, of guests and members together"
    )
    api_limit: Limit = Field("600/1 minute", description="Requests of one member, and of all guests at one address")
    sign_in_limit: Limit = Field(
        "10/5 minutes", description="Tries to sign in, per login; and of those that failed, per address"
    )
    second_factor_limit: Limit = Field("10/5 minutes", description="Codes of a second factor, per account")
    second_factor_day_limit: Limit = Field("50/1 day", description="The same in a day, until the password is changed")
    passkey_limit: Limit = Field("30/5 minutes", description="Challenges for passkeys, per address or member")
    join_limit: Limit = Field("20/1 hour", description="New accounts per address")
    join_try_limit: Limit = Field("100/1 hour", description="Tries to join per address, with those that failed")
    reset_limit: Limit = Field("5/1 day", description="Password-reset mails for one login")
    reset_network_limit: Limit = Field("10/1 hour", description="Requests for password-reset mails, per address")
    mail_limit: Limit = Field(
        "5/1 day", description="Mails to one address that strangers can cause, whoever asks for them and where"
    )
    verification_limit: Limit = Field("5/1 hour", description="Mails to verify an e-mail address, per member")
    posting_limit: Limit = Field("1/5 seconds", description="Posts of one member, in new threads and as replies")
    newcomer_posting_limit: Limit = Field("1/10 seconds", description="The same for a newcomer")
    editing_limit: Limit = Field("30/1 minute", description="Edits of one member: posts, titles and the profile")
    preview_limit: Limit = Field("60/1 minute", description="Previews of one member")
    reaction_limit: Limit = Field("60/1 minute", description="Reactions of one member to posts")
    search_limit: Limit = Field("30/1 minute", description="Searches of one member, and pages of results")
    guest_search_limit: Limit = Field("10/1 minute", description="The same of guests, per address")
    report_limit: Limit = Field("20/1 day", description="Reports of one member")
    contact_limit: Limit = Field("5/1 hour", description="Messages to the charity, per address")
    public_report_limit: Limit = Field(
        "10/1 hour", description="Reports that need no account, per address; complaints as many again"
    )
    progress_limit: Limit = Field(
        "60/1 hour", description="Questions with a code what came of a report or a complaint, per address"
    )
    concern_limit: Limit = Field("20/1 day", description="Concerns that one member raises with the safeguarding leads")
    talk_limit: Limit = Field("60/1 hour", description="Messages of one member or moderator in talks about cases")
    unsubscribe_limit: Limit = Field("100/1 minute", description="Uses of links that turn mails off, per address")
    export_limit: Limit = Field("3/1 day", description="Copies of all own data, per member")
    verified_addresses: bool = Field(
        True, description="Whether a member's e-mail address must be verified before their first post"
    )
    held_first_posts: int = Field(
        3,
        ge=1,
        le=FIRST_POSTS_MAX,
        description="How many first posts of a member wait for a moderator, on boards that hold newcomers' posts",
    )
    heavy_cases_before_break: int = Field(
        5,
        ge=0,
        le=1000,
        description="After how many heavy cases in a shift a moderator is told that a break would be good; 0: never",
    )
    search_language: Annotated[str, AfterValidator(_search_language)] = Field(
        "english", description="The language whose forms of a word search takes as one, as PostgreSQL names it"
    )
    screening_region: str = Field(
        "GB",
        pattern="^[A-Z]{2}$",
        description="The country whose telephone numbers are recognised without a country code",
    )
    help_lines: Path | None = Field(
        None, description="File with the charity's own list of who helps at once; see `forum/content/crisis_help.toml`"
    )
    reactions: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_at_commas), AfterValidator(_reactions)] = (
        Field(
            REACTIONS,
            description="How members can react to a post, separated by commas: thank, hug, helpful, same_here; or none",
        )
    )
    names_moderators: bool = Field(True, description="Whether readers see which moderator edited or removed a post")
    outside_contact: str | None = Field(
        None,
        max_length=500,
        description="Whom a reporter can turn to outside the forum, where nobody here is left to decide",
    )
    appeal_days: int = Field(183, ge=183, description="How many days an author may appeal; the law says six months")
    two_administrators: bool = Field(True, description="Whether two administrators must agree to make a third")
    least_age: int = Field(
        16, ge=0, le=120, description="The age that people say they have when they join; 0: nobody is asked"
    )
    newcomer_days: int = Field(3, ge=0, description="Days after joining during which a member is a newcomer")
    holidays: Annotated[frozenset[date], NoDecode, BeforeValidator(_split_at_commas)] = Field(
        frozenset(), description="Days on which nobody works, as 2026-12-25, separated by commas: bank holidays"
    )
    answer_days: int = Field(
        2, ge=0, le=60, description="Working days within which an adviser answers what somebody asks"
    )
    claim_hours: int = Field(
        2, ge=1, le=80, description="Working hours for which an adviser keeps a thread that they want to answer"
    )
    newcomer_links: int = Field(2, ge=0, description="How many links a newcomer's post may have")

    @property
    def sqlalchemy_url(self) -> str:
        """The database's URL for SQLAlchemy over asyncpg. Raises RuntimeError before one is known."""
        if self.database_url is None:
            raise RuntimeError("FORUM_DATABASE_URL is not set and no embedded PostgreSQL has been started")
        return self.database_url

    @property
    def direct_url(self) -> str:
        """The database's URL past any pooler. Raises RuntimeError before one is known."""
        return self.direct_database_url or self.sqlalchemy_url

    @property
    def has_metrics(self) -> bool:
        """Whether requests and more are counted, for who asks for `/metrics`."""
        return self.metrics != "off" or self.metrics_token is not None

    @property
    def believed_proxies(self) -> list[str]:
        """The trusted proxies in every form in which they can appear.

        A socket for both families of addresses shows an IPv4 address within an IPv6 one (RFC 4291 §2.5.5.2).
        """
        networks = [ip_network(proxy) for proxy in sorted(self.trusted_proxies)]
        mapped = [_mapped(network) for network in networks if isinstance(network, IPv4Network)]
        return [str(network) for network in (*networks, *mapped)]

    def limit(self, name: str) -> RateLimitItem:
        """Return the limit of the setting `<name>_limit`, parsed."""
        return _parsed(getattr(self, f"{name}_limit"))


_parsed = cache(parse)  # the same few with each request


def _mapped(network: IPv4Network) -> IPv6Network:
    return IPv6Network(f"::ffff:{network.network_address}/{96 + network.prefixlen}")
