"""Try it: write to a demo list as one of the demo people, and watch the message wait, be let through and arrive."""

from __future__ import annotations

import uuid
from functools import wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from colporteur.domain.mailings import MailingState
from colporteur.domain.posts import PostState
from colporteur.flow import demo
from colporteur.flow.intake import Incoming, receive
from colporteur.flow.mailings import totals
from colporteur.mail.compose import Letter, compose
from colporteur.mail.parse import skim
from colporteur.store.lists import List, ListState
from colporteur.store.posts import Post
from colporteur.web.guard import View, admin_only
from colporteur.web.reading import why


class Write(forms.Form):
    """Who writes what to which list."""

    who = forms.ChoiceField(label=gettext_lazy("Who writes"), widget=forms.RadioSelect)
    to = forms.ModelChoiceField(label=gettext_lazy("To which list"), queryset=List.objects.none(), to_field_name="address", empty_label=None)
    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=200)
    text = forms.CharField(label=gettext_lazy("Message"), max_length=20_000, widget=forms.Textarea(attrs={"rows": 6}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = {person.email: person for person in demo.demo_people()}
        self.fields["who"].choices = [(person.email, f"{person.name} – {_(person.sentence)}") for person in self.people.values()]  # type: ignore[attr-defined]
        self.fields["to"].queryset = _lists()  # type: ignore[attr-defined]
        self.fields["to"].label_from_instance = lambda list_: f"{list_.title} ({list_.address})"  # type: ignore[attr-defined]


def _lists() -> Any:
    return List.objects.filter(domain__name=demo.DOMAIN, state=ListState.ACTIVE).order_by("address")


def with_demo(view: View) -> View:
    """Only where the demo is."""

    @admin_only
    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not demo.filled():
            raise Http404
        return view(request, *args, **kwargs)

    return inner


@with_demo
def write(request: HttpRequest) -> HttpResponse:
    """The form; POST hands the message over like any door does."""
    first = {"who": demo.demo_people()[1].email, "to": demo.AMAPIENS, "subject": _("Sharing a car to the farm on Saturday"), "text": _("Hello everybody,\n\nI have four free seats in my car, leaving from the town hall at 9.\n\nSee you on Saturday")}
    form = Write(request.POST or None, initial=first)
    if request.method == "POST" and form.is_valid():
        if post := _post(form):
            return redirect("try-post", post.pk)
        messages.error(request, _("The list did not take the message: its service may be switched off."))
    return render(request, "demo/try.html", {"form": form})


def _post(form: Write) -> Post | None:
    values, now = form.cleaned_data, timezone.now()
    person, list_ = form.people[values["who"]], values["to"]
    identifier = f"<{uuid.uuid4().hex}@{person.email.rpartition('@')[2]}>"
    raw = compose(Letter(
        sender_name=person.name, sender=person.email, to_name="", to=list_.address, subject=values["subject"], text=values["text"].replace("\r\n", "\n"), html="",
        message_id=identifier, date=now, language=(get_language() or "en")[:2], auto_submitted="",
    ))  # fmt: skip
    receive([Incoming(raw=raw, mail_from=person.email, recipients=(list_.address,), door="web")], now)
    return Post.objects.filter(list=list_, message_id__in=(identifier, identifier.strip("<>"))).order_by("-pk").first()


def _state(number: int) -> dict[str, Any]:
    post = get_object_or_404(Post.objects.select_related("list", "arrival__blob"), pk=number, list__domain__name=demo.DOMAIN)
    if post.state == PostState.RECEIVED:
        post.subject = skim(bytes(post.arrival.blob.raw)).subject  # rows have it once it is judged, a moment later
    mailing = post.mailings.order_by("-pk").first()
    ended = post.state in (PostState.REJECTED, PostState.DISCARDED, PostState.EXPIRED, PostState.QUARANTINED)
    delivered = mailing is not None and mailing.state == MailingState.DONE
    return {
        "post": post, "mailing": mailing, "totals": totals(mailing.pk, timezone.now()) if mailing else None, "findings": why(post),
        "delivered": delivered, "moving": not (ended or delivered), "ended": ended,
    }  # fmt: skip


@with_demo
def follow(request: HttpRequest, number: int) -> HttpResponse:
    """What becomes of it."""
    return render(request, "demo/follow.html", _state(number))


@with_demo
def state(request: HttpRequest, number: int) -> HttpResponse:
    """The part that refreshes itself."""
    return render(request, "demo/state.html", _state(number))
