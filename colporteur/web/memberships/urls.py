"""Addresses of members, of one's own page, and of leaving by a link."""

from __future__ import annotations

from django.urls import path, re_path

from colporteur.web.memberships import adding, box, everywhere, links, mine, note, oldlinks, personal, preferences, seen, views

urlpatterns = [
    path("lists/<int:number>/members", views.members, name="members"),
    path("lists/<int:number>/members/add", adding.add, name="members-add"),
    path("lists/<int:number>/members/adding/<int:enrolment>", adding.adding, name="members-adding"),
    path("lists/<int:number>/members/adding/<int:enrolment>/lines", adding.lines, name="members-adding-lines"),
    path("lists/people", everywhere.page, name="members-everywhere"),
    path("lists/<int:number>/members/<int:member>", personal.page, name="member"),
    path("lists/<int:number>/members/<int:member>/note", note.page, name="member-note"),
    path("lists/<int:number>/seen", seen.page, name="members-seen"),
    path("lists/<int:number>/members/box", box.edit, name="members-box"),
    path("lists/<int:number>/members/change", views.change, name="members-change"),
    path("lists/<int:number>/members/csv", views.export, name="members-csv"),
    path("me", mine.page, name="my-page"),
    path("me/<int:number>", mine.change, name="my-membership"),
    path("mine", mine.ask, name="mine"),
    path("mine/<str:token>", mine.by_link, name="mine-link"),
    path("p/move/<str:token>", preferences.moving, name="preferences-move"),
    path("p/<str:token>", preferences.page, name="preferences"),
    path("u/<str:token>", links.leave, name="unsubscribe"),
    re_path(r"^(?:[\w.~-]{1,80}/){0,4}spip\.php$", oldlinks.leave, name="unsubscribe-old"),
]
