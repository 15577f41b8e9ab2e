"""Lists: all of them, a new one, one's messages, roles, journal, and its end."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.domain.policy import Urgency
from colporteur.domain.posts import PostState
from colporteur.flow import creating, lists, roles
from colporteur.flow.creating import Way
from colporteur.store.arrivals import Errand
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, RoleKind
from colporteur.store.policies import policy
from colporteur.store.posts import Post
from colporteur.store.rights import Right, lists_for, organisations_for, rights_on
from colporteur.web import kinds
from colporteur.web.errands.stuck import stuck
from colporteur.web.frame import list_page, page_by, rows_of_lists, whole
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.journal import told
from colporteur.web.lists.forms import About, Give, HandOver, New
from colporteur.web.saying import said


@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Every list the person may see, by address; searched by beginning of address or title."""
    person = person_of(request)
    found = lists_for(person, Right.SEE).select_related("domain").order_by("address")
    if wanted := request.GET.get("q", "").strip().lower()[:320]:
        found = found.filter(Q(address__startswith=wanted) | Q(title__istartswith=wanted))
    if after := request.GET.get("after", ""):
        found = found.filter(address__gt=after)
    page = page_by(found, "address")
    moderated = set(lists_for(person, Right.MODERATE).filter(pk__in=[list_.pk for list_ in page.rows]).values_list("pk", flat=True))
    context = {
        "rows": rows_of_lists(page.rows, moderated), "next": page.next, "q": wanted, "ticks": lists_for(person, Right.MANAGE).exists(), "organises": organisations_for(person).exists(),
        "may_make": person.is_admin or creating.possible(person, Way.MAKE), "may_ask": creating.possible(person, Way.ASK),
    }  # fmt: skip
    return render(request, "lists/index.html", context)


@login_required
def new(request: HttpRequest) -> HttpResponse:
    """A new list of a template, where the person may make one at once."""
    person = person_of(request)
    domains = creating.domains(person, Way.MAKE)
    if not person.is_admin and not domains:
        raise Http404
    known = kinds.kinds(domain.organisation_id for domain in domains)
    form = New(known, request.POST or None, initial={"owner": person.primary_email, "notify": True})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made = lists.create(values["address"], values["template"], values["owner"], timezone.now(), title=values["title"], by=person, notify=values["notify"])
        except ValueError as error:
            form.add_error("address", said(error))
        else:
            messages.success(request, _("The list %(address)s is made. Add its members next.") % {"address": made.address})
            if not lists_for(person, Right.MANAGE).filter(pk=made.pk).exists():
                return redirect("lists")
            return redirect("mailbox" if made.domain_id is None else "members", made.pk)
    return render(request, "lists/new.html", {"form": form, "kinds": known})


@login_required
def posts(request: HttpRequest, number: int) -> HttpResponse:
    """Messages of the list, newest first; members see the distributed ones."""
    list_ = list_or_404(request, number, Right.SEE)
    rights = rights_on(person_of(request), list_)
    found = Post.objects.filter(list=list_).order_by("-pk")
    state = request.GET.get("state", "")
    if Right.MODERATE not in rights:
        found = found.filter(state=PostState.ACCEPTED)
    elif state in list(PostState):
        found = found.filter(state=state)
    if before := whole(request.GET.get("before")):
        found = found.filter(pk__lt=before)
    page = page_by(found, "pk", 30)
    return list_page(request, list_, "list", "lists/posts.html", {"posts": page.rows, "next": page.next, "chosen": state, "newsletters": Right.MANAGE in rights and (policy(list_).urgency is Urgency.PATIENT or list_.campaigns.exists()), "states": _states() if Right.MODERATE in rights else []})


@login_required
def by_address(request: HttpRequest, address: str, rest: str) -> HttpResponse:
    """Letters name a list's pages by its address: on to where they live."""
    found = lists_for(person_of(request), Right.SEE).filter(address=address.lower()).first()
    if found is None:
        raise Http404
    return redirect(f"/lists/{found.pk}/{rest.strip('/')}")


def _states() -> list[tuple[str, str]]:
    return [
        ("", _("All")), (PostState.HELD, _("Waiting")), (PostState.ACCEPTED, _("Accepted")), (PostState.REJECTED, _("Rejected")),
        (PostState.EXPIRED, _("Expired")), (PostState.QUARANTINED, _("In quarantine")),
    ]  # fmt: skip


@login_required
def about(request: HttpRequest, number: int) -> HttpResponse:
    """Name, description and language; the way to what ends or moves the list."""
    list_ = list_or_404(request, number, Right.MANAGE)
    known = kinds.kinds([list_.organisation_id])
    form = About(known, request.POST or None, initial={"title": list_.title, "description": list_.description, "template": list_.template, "language": list_.language})
    if request.method == "POST" and form.is_valid():
        try:
            lists.change(list_, timezone.now(), by=person_of(request), **form.cleaned_data)
        except ValueError as error:
            form.add_error(None, said(error))
        else:
            messages.success(request, _("Saved."))
            return redirect("list-about", list_.pk)
    return list_page(request, list_, "list-settings", "lists/about.html", {"form": form})


@login_required
def roles_of(request: HttpRequest, number: int) -> HttpResponse:
    """Owners, moderators and senders; POST gives or takes a role, or hands the list over."""
    list_ = list_or_404(request, number, Right.MANAGE)
    if request.method == "POST" and "take" in request.POST:
        return _take(request, list_)
    if request.method == "POST" and "hand" in request.POST:
        return _hand_over(request, list_)
    form = Give(request.POST or None, initial={"kind": request.GET.get("kind", RoleKind.MODERATOR.value)})
    if request.method == "POST" and form.is_valid():
        try:
            given = roles.give(list_, form.cleaned_data["email"], RoleKind(form.cleaned_data["kind"]), timezone.now(), by=person_of(request))
        except ValueError as error:
            form.add_error("email", said(error))
        else:
            messages.success(request, _("The role is given.") if given else _("This person had the role already."))
            return redirect("roles", list_.pk)
    holders = roles.of(list_)
    owners = [(holder.email, holder.name or holder.email) for holder in holders if holder.kind == RoleKind.OWNER and not holder.group]
    groups = [(kind, words, [holder for holder in holders if holder.kind == kind]) for kind, words in _kinds()]
    return list_page(request, list_, "roles", "lists/roles.html", {"form": form, "hand": HandOver(owners), "groups": groups, "warnings": lists.warnings(list_)}, status=422 if form.errors else 200)


def _kinds() -> list[tuple[RoleKind, tuple[str, str, str]]]:
    return [
        (RoleKind.OWNER, (_("Owners"), _("They look after members and settings."), _("No owner yet."))),
        (RoleKind.MODERATOR, (_("Moderators"), _("They get a word when a message waits, and decide with one press."), _("No moderator yet: the owners are asked instead."))),
        (RoleKind.FREE_SENDER, (_("Free senders"), _("Their messages leave without waiting."), _("No free sender yet."))),
        (RoleKind.ALLOWED_SENDER, (_("Allowed senders"), _("As soon as there is one, nobody else may write to the list."), _("Everybody may write whom the settings let."))),
        (RoleKind.REFUSED_SENDER, (_("Refused senders"), _("Their messages are refused, even when they are allowed elsewhere."), _("Nobody is refused."))),
    ]


def _hand_over(request: HttpRequest, list_: List) -> HttpResponse:
    try:
        roles.hand_over(list_, request.POST["hand"], request.POST.get("to", ""), timezone.now(), by=person_of(request))
        messages.success(request, _("The list is handed over."))
    except ValueError as error:
        messages.error(request, said(error))
    return _after_roles(request, list_)


def _after_roles(request: HttpRequest, list_: List) -> HttpResponse:
    still = lists_for(person_of(request), Right.MANAGE).filter(pk=list_.pk).exists()  # not when the role was one's own
    return redirect("roles", list_.pk) if still else redirect("lists")


def _take(request: HttpRequest, list_: List) -> HttpResponse:
    kind, _colon, email = request.POST["take"].partition(":")
    try:
        if kind in RoleKind and roles.take(list_, email, RoleKind(kind), timezone.now(), by=person_of(request)):
            messages.success(request, _("The role is taken away."))
    except ValueError as error:
        messages.error(request, said(error))
    return _after_roles(request, list_)


@login_required
def activity(request: HttpRequest, number: int) -> HttpResponse:
    """The list's journal."""
    list_ = list_or_404(request, number, Right.MODERATE)
    found = JournalEntry.objects.filter(list_id=list_.pk).order_by("-pk")
    manages = Right.MANAGE in rights_on(person_of(request), list_)
    if not manages:
        found = found.exclude(event__startswith="membership")
    if before := whole(request.GET.get("before")):
        found = found.filter(pk__lt=before)
    page = page_by(found, "pk")
    return list_page(request, list_, "activity", "lists/activity.html", {"entries": told(page.rows), "next": page.next, "stuck": stuck(Errand.objects.filter(list=list_)) if manages else []})
